#pragma once

#include <imgui.h>

#include <span>
#include <string>
#include <vector>

namespace lathe {

enum class Theme { Dark, Light };

/// Every colour that a view may use. One accent; a kind of layer has the same colour wherever it appears.
struct Palette {
  ImVec4 background, panel, raised, field, border, strong_border;
  ImVec4 text, dim, faint;
  ImVec4 accent, accent_soft, on_accent;
  ImVec4 good, warning, error;
  ImVec4 mla, moe, plain;  ///< converted attention, converted feed-forward, what is as it was opened
  ImVec4 masked, not_a_number;
};

/// The palette of the theme that is applied to the current ImGui context.
const Palette& colors();
ImU32 color(const ImVec4& of, float alpha = 1.0F);
/// `a` moved towards `b` by `t` in [0, 1].
ImVec4 mix(const ImVec4& a, const ImVec4& b, float t);

/// Sets ImGui's and ImPlot's styles. `scale` is the user's scale times the display's.
void apply_theme(Theme theme, float scale);

/// `value` pixels at scale 1, snapped to whole pixels at the current scale.
float px(float value);

/// Loads Inter, JetBrains Mono and Noto from the first of `folders` that has each, and returns a sentence for each that
/// no folder has; ImGui's own font stands in.
std::vector<std::string> load_fonts(std::span<const std::string> folders);

/// Fonts by use. Without load_fonts() all are ImGui's own.
ImFont* text_font();
ImFont* bold_font();
ImFont* mono_font();

}  // namespace lathe
