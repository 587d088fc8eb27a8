#pragma once

#include "views/actions.h"

namespace lathe {

/// The dialog that `ui.dialog` names, if any.
void draw_dialogs(ActionContext context);

/// A card for each failed job whose message was not dismissed yet, at the lower right.
void draw_failures(ActionContext context);

}  // namespace lathe
