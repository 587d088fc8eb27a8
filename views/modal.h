#pragma once

#include "views/ui_state.h"

namespace lathe {

/// Begins a modal window in the middle, `width` pixels at scale 1 and as high as what it holds; closes it, and sets
/// `ui.dialog`, on Escape. Call ImGui::EndPopup() if it is true.
bool begin_modal(const char* title, UiState& ui, float width);

}  // namespace lathe
