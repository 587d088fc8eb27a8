#include "views/theme.h"

#include <algorithm>
#include <cmath>

#include <implot.h>

#include "views/color_map.h"

namespace lathe {
namespace {

// Line height; letters of Inter are then 13.6 pixels to the em.
constexpr float kFontSize = 16.5F;

constexpr ImVec4 rgb(unsigned hex, float alpha = 1.0F) {
  return {static_cast<float>(hex >> 16 & 0xFF) / 255.0F, static_cast<float>(hex >> 8 & 0xFF) / 255.0F,
          static_cast<float>(hex & 0xFF) / 255.0F, alpha};
}

constexpr Palette kDark{.background = rgb(0x0E1014),
                        .panel = rgb(0x15181E),
                        .raised = rgb(0x1D2129),
                        .field = rgb(0x22262F),
                        .border = rgb(0x2A2F39),
                        .strong_border = rgb(0x3C4350),
                        .text = rgb(0xE4E7EC),
                        .dim = rgb(0x9AA3B2),
                        .faint = rgb(0x717B8B),
                        .accent = rgb(0x5B9BF8),
                        .accent_soft = rgb(0x5B9BF8, 0.22F),
                        .on_accent = rgb(0x0B1220),
                        .good = rgb(0x4CC38A),
                        .warning = rgb(0xE8B339),
                        .error = rgb(0xF2726F),
                        .mla = rgb(0x35B597),
                        .moe = rgb(0xE5A02F),
                        .plain = rgb(0x5C6675),
                        .masked = rgb(0x15181E),
                        .not_a_number = rgb(0xFF00FF)};

constexpr Palette kLight{.background = rgb(0xE9ECF0),
                         .panel = rgb(0xFFFFFF),
                         .raised = rgb(0xF4F6F8),
                         .field = rgb(0xECEFF3),
                         .border = rgb(0xDCE0E6),
                         .strong_border = rgb(0xB9C1CC),
                         .text = rgb(0x1A1E25),
                         .dim = rgb(0x555F6D),
                         .faint = rgb(0x7A8494),
                         .accent = rgb(0x2266D6),
                         .accent_soft = rgb(0x2266D6, 0.15F),
                         .on_accent = rgb(0xFFFFFF),
                         .good = rgb(0x1C8A55),
                         .warning = rgb(0x9A6700),
                         .error = rgb(0xC93A37),
                         .mla = rgb(0x0F8A70),
                         .moe = rgb(0xB36B00),
                         .plain = rgb(0x94A0AF),
                         .masked = rgb(0xFFFFFF),
                         .not_a_number = rgb(0xFF00FF)};

void set_sizes(ImGuiStyle& style) {
  style.WindowPadding = {12, 10};
  style.FramePadding = {8, 4};
  style.ItemSpacing = {8, 6};
  style.ItemInnerSpacing = {6, 4};
  style.CellPadding = {8, 3};
  style.IndentSpacing = 16;
  style.ScrollbarSize = 12;
  style.GrabMinSize = 10;
  style.WindowRounding = 6;
  style.ChildRounding = 6;
  style.PopupRounding = 6;
  style.FrameRounding = 4;
  style.GrabRounding = 4;
  style.TabRounding = 4;
  style.ScrollbarRounding = 6;
  style.WindowBorderSize = 1;
  style.PopupBorderSize = 1;
  style.FrameBorderSize = 1;
  style.TabBorderSize = 0;
  style.TabBarBorderSize = 1;
  style.TabBarOverlineSize = 2;
  style.DockingSeparatorSize = 4;
  style.SeparatorTextBorderSize = 1;
  style.WindowMenuButtonPosition = ImGuiDir_None;
  style.WindowTitleAlign = {0.0F, 0.5F};
  style.DisabledAlpha = 0.45F;
  style.HoverDelayNormal = 0.35F;
}

void set_surface_colors(ImGuiStyle& style, const Palette& p) {
  ImVec4* c = style.Colors;
  c[ImGuiCol_Text] = p.text;
  c[ImGuiCol_TextDisabled] = p.faint;
  c[ImGuiCol_WindowBg] = p.panel;
  c[ImGuiCol_ChildBg] = {0, 0, 0, 0};
  c[ImGuiCol_PopupBg] = p.raised;
  c[ImGuiCol_Border] = p.border;
  c[ImGuiCol_FrameBg] = p.field;
  c[ImGuiCol_FrameBgHovered] = mix(p.field, p.accent, 0.12F);
  c[ImGuiCol_FrameBgActive] = mix(p.field, p.accent, 0.20F);
  c[ImGuiCol_TitleBg] = c[ImGuiCol_TitleBgActive] = c[ImGuiCol_TitleBgCollapsed] = p.background;
  c[ImGuiCol_MenuBarBg] = p.background;
  c[ImGuiCol_ScrollbarBg] = {0, 0, 0, 0};
  c[ImGuiCol_ScrollbarGrab] = p.border;
  c[ImGuiCol_ScrollbarGrabHovered] = c[ImGuiCol_ScrollbarGrabActive] = p.strong_border;
  c[ImGuiCol_Separator] = p.border;
  c[ImGuiCol_SeparatorHovered] = c[ImGuiCol_SeparatorActive] = p.accent;
  c[ImGuiCol_ResizeGrip] = {0, 0, 0, 0};
  c[ImGuiCol_ResizeGripHovered] = c[ImGuiCol_ResizeGripActive] = p.accent_soft;
  c[ImGuiCol_TableHeaderBg] = p.raised;
  c[ImGuiCol_TableBorderStrong] = c[ImGuiCol_TableBorderLight] = p.border;
  c[ImGuiCol_TableRowBgAlt] = {p.text.x, p.text.y, p.text.z, 0.025F};
  c[ImGuiCol_DockingEmptyBg] = p.background;
  c[ImGuiCol_ModalWindowDimBg] = {0, 0, 0, 0.45F};
  c[ImGuiCol_NavWindowingDimBg] = {0, 0, 0, 0.30F};
}

void set_control_colors(ImGuiStyle& style, const Palette& p) {
  ImVec4* c = style.Colors;
  c[ImGuiCol_CheckMark] = c[ImGuiCol_SliderGrab] = c[ImGuiCol_SliderGrabActive] = p.accent;
  c[ImGuiCol_CheckboxSelectedBg] = p.accent_soft;
  c[ImGuiCol_Button] = p.field;
  c[ImGuiCol_ButtonHovered] = mix(p.field, p.text, 0.10F);
  c[ImGuiCol_ButtonActive] = mix(p.field, p.text, 0.18F);
  c[ImGuiCol_Header] = p.accent_soft;
  c[ImGuiCol_HeaderHovered] = {p.text.x, p.text.y, p.text.z, 0.07F};
  c[ImGuiCol_HeaderActive] = p.accent_soft;
  c[ImGuiCol_Tab] = c[ImGuiCol_TabDimmed] = p.background;
  c[ImGuiCol_TabHovered] = p.raised;
  c[ImGuiCol_TabSelected] = c[ImGuiCol_TabDimmedSelected] = p.panel;
  c[ImGuiCol_TabSelectedOverline] = p.accent;
  c[ImGuiCol_TabDimmedSelectedOverline] = p.strong_border;
  c[ImGuiCol_DockingPreview] = p.accent_soft;
  c[ImGuiCol_PlotLines] = c[ImGuiCol_PlotHistogram] = p.accent;
  c[ImGuiCol_PlotLinesHovered] = c[ImGuiCol_PlotHistogramHovered] = p.accent;
  c[ImGuiCol_TextLink] = c[ImGuiCol_NavCursor] = c[ImGuiCol_DragDropTarget] = p.accent;
  c[ImGuiCol_InputTextCursor] = p.text;
  c[ImGuiCol_TextSelectedBg] = {p.accent.x, p.accent.y, p.accent.z, 0.35F};
  c[ImGuiCol_UnsavedMarker] = p.warning;
}

void set_plot_style(const Palette& p, float scale) {
  ImPlotStyle& style = ImPlot::GetStyle();
  style = ImPlotStyle();
  style.PlotPadding = {16 * scale, 8 * scale};
  style.LabelPadding = {6 * scale, 4 * scale};
  style.LegendPadding = {8 * scale, 8 * scale};
  style.LegendInnerPadding = {8 * scale, 4 * scale};
  style.LegendSpacing = {8 * scale, 2 * scale};
  style.MousePosPadding = {8 * scale, 8 * scale};
  style.MajorTickLen = style.MinorTickLen = {0, 0};
  style.PlotBorderSize = 0;
  style.MinorAlpha = 0.35F;
  style.PlotMinSize = {80 * scale, 60 * scale};
  style.Colors[ImPlotCol_FrameBg] = {0, 0, 0, 0};
  style.Colors[ImPlotCol_PlotBg] = p.panel;
  style.Colors[ImPlotCol_PlotBorder] = p.border;
  style.Colors[ImPlotCol_LegendBg] = {p.panel.x, p.panel.y, p.panel.z, 0.88F};
  style.Colors[ImPlotCol_LegendBorder] = {0, 0, 0, 0};
  style.Colors[ImPlotCol_LegendText] = style.Colors[ImPlotCol_AxisText] = p.dim;
  style.Colors[ImPlotCol_TitleText] = style.Colors[ImPlotCol_InlayText] = p.text;
  style.Colors[ImPlotCol_AxisGrid] = p.border;
  style.Colors[ImPlotCol_AxisTick] = p.border;
  style.Colors[ImPlotCol_AxisBgHovered] = style.Colors[ImPlotCol_AxisBgActive] = p.accent_soft;
  style.Colors[ImPlotCol_Selection] = p.accent;
  style.Colors[ImPlotCol_Crosshairs] = p.faint;
}

}  // namespace

const Palette& colors() {
  // The style in use is the only state, so that a theme belongs to its ImGui context and not to the process.
  return ImGui::GetStyle().Colors[ImGuiCol_WindowBg].x > 0.5F ? kLight : kDark;
}

ImU32 color(const ImVec4& of, float alpha) {
  return ImGui::ColorConvertFloat4ToU32({of.x, of.y, of.z, of.w * alpha * ImGui::GetStyle().Alpha});
}

ImVec4 mix(const ImVec4& a, const ImVec4& b, float t) {
  return {a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t, a.z + (b.z - a.z) * t, a.w + (b.w - a.w) * t};
}

void apply_theme(Theme theme, float scale) {
  const Palette& palette = theme == Theme::Light ? kLight : kDark;
  ImGuiStyle style;
  set_sizes(style);
  set_surface_colors(style, palette);
  set_control_colors(style, palette);
  // A style that is set inside a frame takes its font size at the start of the next one.
  style.FontSizeBase = style._NextFrameFontSizeBase = kFontSize;
  style.ScaleAllSizes(scale);
  // Scaling cuts the fraction off, and a border of 0.75 pixels would be none.
  const float line = std::max(1.0F, std::floor(scale));
  style.WindowBorderSize = style.PopupBorderSize = style.FrameBorderSize = line;
  style.ChildBorderSize = style.TabBarBorderSize = style.SeparatorTextBorderSize = line;
  style.FontScaleMain = scale;
  ImGui::GetStyle() = style;
  if (ImPlot::GetCurrentContext() != nullptr) {
    set_plot_style(palette, scale);
    add_plot_colormaps();
  }
}

float px(float value) { return std::floor(value * ImGui::GetStyle().FontScaleMain + 0.5F); }

}  // namespace lathe
