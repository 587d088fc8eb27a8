#pragma once

#include "views/actions.h"

namespace lathe {

/// Menus, workspace switch, model and device.
void draw_menu_bar(ActionContext context);
/// Undo, redo, what the plan would change, Convert or the running job with Cancel.
void draw_top_bar(ActionContext context);
/// Device, memory, speed, step, cost of the views.
void draw_status_bar(const Session& session, UiState& ui);

}  // namespace lathe
