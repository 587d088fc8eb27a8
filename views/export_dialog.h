#pragma once

#include "views/actions.h"

namespace lathe {

/// While `ui.dialog` is Dialog::Export: every form that a model can leave in, which of them this one fits and why not
/// the others, then the progress of the export and what reading it back found.
void draw_export_dialog(ActionContext context);

}  // namespace lathe
