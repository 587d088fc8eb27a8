#pragma once

#include <cstddef>

#include "views/ui_state.h"

namespace lathe {

/// Draws one writing into the current window: a line of figures, then the tokens. `differs_at` marks the token where it
/// parts from the other one; past the end for none.
void draw_writing(const char* title, const Writing& writing, const UiState& ui, std::size_t differs_at);

}  // namespace lathe
