#pragma once

#include <cstdint>

#include "model/data/session.h"
#include "views/load_strip.h"

namespace lathe {

/// A layer's load over the run as wide as the panel: its number, those of its experts, the strip, and what the last
/// step comes to in figures.
void draw_load_strip(std::int64_t layer, const RouterHistory& history, LoadStrip& strip, float height);

/// Under the strips: their first and last step, and what the colours mean.
void draw_load_axis(std::size_t steps);

}  // namespace lathe
