#pragma once

#include "views/actions.h"

namespace lathe {

/// What the middle of the window shows while no model is open: what Lathe does, models to open, the tour.
void draw_welcome(ActionContext context);

}  // namespace lathe
