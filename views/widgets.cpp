#include "views/widgets.h"

#include <imgui_internal.h>

#include <algorithm>
#include <cstdio>

namespace lathe {
namespace {

/// Pushes the same colour for a button at rest, hovered and held, lightened step by step towards the text.
void push_button_colors(const ImVec4& base, float hover) {
  ImGui::PushStyleColor(ImGuiCol_Button, base);
  ImGui::PushStyleColor(ImGuiCol_ButtonHovered, mix(base, colors().text, hover));
  ImGui::PushStyleColor(ImGuiCol_ButtonActive, mix(base, colors().text, hover * 1.8F));
}

/// A sentence after a coloured mark, wrapped.
void marked(const char* mark, const char* text, const ImVec4& tint) {
  ImGui::PushStyleColor(ImGuiCol_Text, tint);
  ImGui::TextUnformatted(mark);
  ImGui::SameLine(0, px(6));
  ImGui::PushTextWrapPos(0);
  ImGui::TextUnformatted(text);
  ImGui::PopTextWrapPos();
  ImGui::PopStyleColor();
}

}  // namespace

bool empty_state(const char* sentence, const char* button, const char* why_not) {
  const float width = std::min(ImGui::GetContentRegionAvail().x, px(440));
  const ImVec2 text = ImGui::CalcTextSize(sentence, nullptr, false, width);
  const float height = text.y + (button != nullptr ? ImGui::GetFrameHeightWithSpacing() + px(8) : 0) +
                       (why_not != nullptr ? ImGui::GetTextLineHeightWithSpacing() : 0);
  const ImVec2 space = ImGui::GetContentRegionAvail();
  const ImVec2 start = ImGui::GetCursorPos();
  ImGui::SetCursorPos(
      {start.x + std::max(0.0F, (space.x - text.x) / 2), start.y + std::max(0.0F, (space.y - height) * 0.45F)});
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  ImGui::PushTextWrapPos(ImGui::GetCursorPosX() + text.x + 1);
  ImGui::TextUnformatted(sentence);
  ImGui::PopTextWrapPos();
  ImGui::PopStyleColor();
  if (button == nullptr) return false;
  const float button_width = std::min(space.x, ImGui::CalcTextSize(button, nullptr, true).x + 2 * px(16));
  ImGui::SetCursorPosX(start.x + std::max(0.0F, (space.x - button_width) / 2));
  ImGui::SetCursorPosY(ImGui::GetCursorPosY() + px(6));
  ImGui::BeginDisabled(why_not != nullptr);
  const bool pressed = primary_button(button, {button_width, 0});
  ImGui::EndDisabled();
  if (why_not == nullptr) return pressed;
  const float reason = std::min(space.x, ImGui::CalcTextSize(why_not).x * 0.87F);
  ImGui::SetCursorPosX(start.x + std::max(0.0F, (space.x - reason) / 2));
  caption(why_not);
  return false;
}

bool primary_button(const char* label, ImVec2 size) {
  const bool disabled = (ImGui::GetCurrentContext()->CurrentItemFlags & ImGuiItemFlags_Disabled) != 0;
  push_button_colors(disabled ? colors().field : colors().accent, 0.14F);
  ImGui::PushStyleColor(ImGuiCol_Text, disabled ? colors().text : colors().on_accent);
  ImGui::PushStyleVar(ImGuiStyleVar_FrameBorderSize, 0);
  ImGui::PushFont(bold_font(), 0);
  const bool pressed = ImGui::Button(label, size);
  ImGui::PopFont();
  ImGui::PopStyleVar();
  ImGui::PopStyleColor(4);
  return pressed;
}

bool quiet_button(const char* label, const char* tooltip) {
  push_button_colors({0, 0, 0, 0}, 0.10F);
  ImGui::PushStyleVar(ImGuiStyleVar_FrameBorderSize, 0);
  const bool pressed = ImGui::Button(label);
  ImGui::PopStyleVar();
  ImGui::PopStyleColor(3);
  if (tooltip != nullptr) explain(tooltip);
  return pressed;
}

bool segmented(const char* id, std::initializer_list<const char*> labels, int& chosen) {
  bool changed = false;
  int index = 0;
  ImGui::PushID(id);
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {px(2), ImGui::GetStyle().ItemSpacing.y});
  for (const char* label : labels) {
    if (index > 0) ImGui::SameLine();
    const bool on = index == chosen;
    push_button_colors(on ? colors().accent_soft : colors().field, 0.08F);
    ImGui::PushStyleColor(ImGuiCol_Text, on ? colors().text : colors().dim);
    if (ImGui::Button(label) && !on) {
      chosen = index;
      changed = true;
    }
    ImGui::PopStyleColor(4);
    ++index;
  }
  ImGui::PopStyleVar();
  ImGui::PopID();
  return changed;
}

void heading(const char* text) {
  ImGui::Dummy({0, px(2)});
  ImGui::PushFont(bold_font(), 0);
  ImGui::TextUnformatted(text);
  ImGui::PopFont();
  const ImVec2 low = ImGui::GetCursorScreenPos();
  ImGui::GetWindowDrawList()->AddLine({low.x, low.y - px(3)}, {low.x + ImGui::GetContentRegionAvail().x, low.y - px(3)},
                                      color(colors().border));
  ImGui::Dummy({0, 0});
}

void caption(const char* text, float wrap) {
  ImGui::PushFont(nullptr, ImGui::GetStyle().FontSizeBase * 0.87F);
  ImGui::PushStyleColor(ImGuiCol_Text, colors().faint);
  ImGui::PushTextWrapPos(wrap);
  ImGui::TextUnformatted(text);
  ImGui::PopTextWrapPos();
  ImGui::PopStyleColor();
  ImGui::PopFont();
}

float caption_height(const char* text) {
  ImGui::PushFont(nullptr, ImGui::GetStyle().FontSizeBase * 0.87F);
  const float height = ImGui::CalcTextSize(text, nullptr, false, ImGui::GetContentRegionAvail().x).y;
  ImGui::PopFont();
  return height + ImGui::GetStyle().ItemSpacing.y;
}

void problem(const char* text) { marked("\u25cf", text, colors().error); }
void warning(const char* text) { marked("\u25cf", text, colors().warning); }

void value_row(const char* name, const char* value, const char* tooltip) {
  tinted_row(name, value, colors().text, tooltip);
}

void tinted_row(const char* name, const char* value, const ImVec4& tint, const char* tooltip) {
  ImGui::BeginGroup();
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  ImGui::TextUnformatted(name);
  ImGui::PopStyleColor();
  ImGui::PushStyleColor(ImGuiCol_Text, tint);
  ImGui::PushFont(mono_font(), ImGui::GetStyle().FontSizeBase * 0.93F);
  same_line_if_fits(ImGui::CalcTextSize(value).x, ImGui::GetStyle().ItemSpacing.x);
  text_right(value);
  ImGui::PopFont();
  ImGui::PopStyleColor();
  ImGui::EndGroup();
  if (tooltip != nullptr) explain(tooltip);
}

void text_right(const char* text) {
  const float space = ImGui::GetContentRegionAvail().x - ImGui::CalcTextSize(text).x;
  if (space > 0) ImGui::SetCursorPosX(ImGui::GetCursorPosX() + space);
  ImGui::TextUnformatted(text);
}

void clipped_text(const char* text) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const ImVec2 size = ImGui::CalcTextSize(text);
  const float width = ImGui::GetContentRegionAvail().x;
  if (size.x <= width) {
    ImGui::TextUnformatted(text);
    return;
  }
  const float y = at.y + ImGui::GetCurrentWindow()->DC.CurrLineTextBaseOffset;
  ImGui::RenderTextEllipsis(ImGui::GetWindowDrawList(), {at.x, y}, {at.x + width, y + size.y}, at.x + width, text,
                            nullptr, &size);
  ImGui::Dummy({width, size.y});
  explain(text);
}

void fitting_text(std::initializer_list<const char*> texts) {
  const float width = ImGui::GetContentRegionAvail().x;
  for (const char* text : texts) {
    const bool is_last = text == *(texts.end() - 1);
    if (!is_last && ImGui::CalcTextSize(text).x > width) continue;
    clipped_text(text);
    if (text != *texts.begin()) explain(*texts.begin());
    return;
  }
}

void same_line_if_fits(float width, float spacing) {
  // The space is measured from where the last item ended, which is on the line before this one.
  const float end = ImGui::GetItemRectMax().x + spacing + width;
  const float right = ImGui::GetCursorScreenPos().x + ImGui::GetContentRegionAvail().x;
  if (end <= right) ImGui::SameLine(0, spacing);
}

void chip(const char* text, const ImVec4& tint) {
  const ImVec2 size = ImGui::CalcTextSize(text);
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const ImVec2 pad = {px(8), px(2)};
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImVec2 end = {at.x + size.x + 2 * pad.x, at.y + size.y + 2 * pad.y};
  list->AddRectFilled(at, end, color(tint, 0.16F), px(10));
  list->AddText({at.x + pad.x, at.y + pad.y}, color(mix(tint, colors().text, 0.25F)), text);
  ImGui::Dummy({end.x - at.x, end.y - at.y});
}

void explain(const char* text) {
  if (!ImGui::IsItemHovered(ImGuiHoveredFlags_ForTooltip | ImGuiHoveredFlags_DelayNormal)) return;
  if (!ImGui::BeginTooltip()) return;
  ImGui::PushTextWrapPos(px(380));
  ImGui::TextUnformatted(text);
  ImGui::PopTextWrapPos();
  ImGui::EndTooltip();
}

void thin_bar(float fraction, const ImVec4& tint, float height) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = std::max(1.0F, ImGui::GetContentRegionAvail().x);
  const float tall = px(height);
  ImDrawList* list = ImGui::GetWindowDrawList();
  list->AddRectFilled(at, {at.x + width, at.y + tall}, color(colors().field), tall / 2);
  const float filled = width * std::clamp(fraction, 0.0F, 1.0F);
  if (filled >= 1) list->AddRectFilled(at, {at.x + filled, at.y + tall}, color(tint), tall / 2);
  ImGui::Dummy({width, tall});
}

}  // namespace lathe
