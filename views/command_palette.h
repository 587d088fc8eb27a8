#pragma once

#include "views/actions.h"

namespace lathe {

/// A field and a list of all actions that match it; Enter runs the chosen one.
void draw_command_palette(ActionContext context);

}  // namespace lathe
