#pragma once

#include <imgui.h>

#include <array>
#include <cstdint>

namespace lathe {

/// 256 RGBA colours, as ImGui packs them.
using ColorMap = std::array<ImU32, 256>;

/// For magnitudes. Nuñez, Anderton, Renslow 2018 (doi:10.1371/journal.pone.0199239).
const ColorMap& cividis();
/// For differences, 0 in the middle. ColorBrewer RdBu reversed: blue is negative.
const ColorMap& red_blue();
/// For categories, at most eight. Okabe and Ito 2008.
ImU32 okabe_ito(int index);

/// The colour of `t` in [0, 1]; values outside are clamped.
ImU32 sample(const ColorMap& map, float t);

/// Makes "cividis" and "Okabe-Ito" known to ImPlot, once per context; it brings its own RdBu.
void add_plot_colormaps();

}  // namespace lathe
