#pragma once

#include "views/actions.h"

namespace lathe {

inline constexpr int kTourSteps = 5;

/// A card that leads through open, plan, convert, heal and write with the real thing; nothing when no tour runs.
void draw_tour(ActionContext context);

/// The recipe that the tour loads: the first that fits the model, or null.
const Recipe* recipe_for(const Session& session, const UiState& ui);

}  // namespace lathe
