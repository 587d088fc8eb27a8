#include "views/color_map.h"

#include <implot.h>

#include <algorithm>
#include <cstddef>
#include <span>

namespace lathe {
namespace {

constexpr std::array<unsigned, 10> kCividis = {0x00224E, 0x123570, 0x3B496C, 0x575D6D, 0x707173,
                                               0x8A8678, 0xA59C74, 0xC3B369, 0xE1CC55, 0xFEE838};
constexpr std::array<unsigned, 11> kRedBlue = {0x053061, 0x2166AC, 0x4393C3, 0x92C5DE, 0xD1E5F0, 0xF7F7F7,
                                               0xFDDBC7, 0xF4A582, 0xD6604D, 0xB2182B, 0x67001F};
constexpr std::array<unsigned, 8> kOkabeIto = {0xE69F00, 0x56B4E9, 0x009E73, 0xF0E442,
                                               0x0072B2, 0xD55E00, 0xCC79A7, 0x999999};

/// Red, green or blue of 0xRRGGBB.
float channel(unsigned hex, int shift) { return static_cast<float>(hex >> shift & 0xFF); }

ImU32 packed(unsigned hex) { return IM_COL32(hex >> 16 & 0xFF, hex >> 8 & 0xFF, hex & 0xFF, 255); }

/// `anchors` spread evenly and joined by straight lines.
ColorMap interpolate(std::span<const unsigned> anchors) {
  ColorMap map{};
  for (std::size_t i = 0; i < map.size(); ++i) {
    const float at = static_cast<float>(i) / 255.0F * static_cast<float>(anchors.size() - 1);
    const std::size_t low = std::min(static_cast<std::size_t>(at), anchors.size() - 2);
    const float t = at - static_cast<float>(low);
    const auto blend = [&](int shift) {
      const float a = channel(anchors[low], shift);
      return static_cast<int>(a + (channel(anchors[low + 1], shift) - a) * t + 0.5F);
    };
    map[i] = IM_COL32(blend(16), blend(8), blend(0), 255);
  }
  return map;
}

}  // namespace

const ColorMap& cividis() {
  static const ColorMap map = interpolate(kCividis);
  return map;
}

const ColorMap& red_blue() {
  static const ColorMap map = interpolate(kRedBlue);
  return map;
}

ImU32 okabe_ito(int index) { return packed(kOkabeIto[static_cast<std::size_t>(index) % kOkabeIto.size()]); }

ImU32 sample(const ColorMap& map, float t) {
  return map[static_cast<std::size_t>(std::clamp(t, 0.0F, 1.0F) * 255.0F + 0.5F)];
}

void add_plot_colormaps() {
  if (ImPlot::GetColormapIndex("cividis") != -1) return;
  ImPlot::AddColormap("cividis", cividis().data(), static_cast<int>(cividis().size()), false);
  std::array<ImU32, kOkabeIto.size()> categories{};
  std::transform(kOkabeIto.begin(), kOkabeIto.end(), categories.begin(), packed);
  ImPlot::AddColormap("Okabe-Ito", categories.data(), static_cast<int>(categories.size()), true);
}

}  // namespace lathe
