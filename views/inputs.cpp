// The controls of widgets.h that change a value.
#include <imgui_internal.h>

#include <algorithm>
#include <cstdio>

#include "views/widgets.h"

namespace lathe {
namespace {

ShortText hidden(const char* label) { return format("##%s", label); }

int resize(ImGuiInputTextCallbackData* data) {
  if (data->EventFlag != ImGuiInputTextFlags_CallbackResize) return 0;
  auto* value = static_cast<std::string*>(data->UserData);
  value->resize(static_cast<std::size_t>(data->BufTextLen));
  data->Buf = value->data();
  return 0;
}

}  // namespace

void label_left(const char* label, const char* tooltip) {
  ImGui::AlignTextToFramePadding();
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  ImGui::TextUnformatted(label);
  ImGui::PopStyleColor();
  if (tooltip != nullptr) explain(tooltip);
  const float field = std::min(px(176), ImGui::GetContentRegionAvail().x * 0.6F);
  const float least = px(64);
  same_line_if_fits(least, ImGui::GetStyle().ItemSpacing.x);
  const float space = ImGui::GetContentRegionAvail().x;
  if (space > field) ImGui::SetCursorPosX(ImGui::GetCursorPosX() + space - field);
  ImGui::SetNextItemWidth(-1);
}

bool int_row(const char* label, std::int64_t& value, std::int64_t low, std::int64_t high, const char* tooltip) {
  label_left(label, tooltip);
  ImGui::PushFont(mono_font(), 0);
  std::int64_t edited = value;
  const bool changed = ImGui::InputScalar(hidden(label).c_str(), ImGuiDataType_S64, &edited);
  ImGui::PopFont();
  if (!changed) return false;
  value = std::clamp(edited, low, high);
  return true;
}

bool slider_row(const char* label, std::int64_t& value, std::int64_t low, std::int64_t high, const char* tooltip) {
  label_left(label, tooltip);
  ImGui::PushFont(mono_font(), 0);
  const bool changed = ImGui::SliderScalar(hidden(label).c_str(), ImGuiDataType_S64, &value, &low, &high, "%lld",
                                           ImGuiSliderFlags_AlwaysClamp);
  ImGui::PopFont();
  return changed;
}

bool real_row(const char* label, double& value, const char* pattern, const char* tooltip) {
  label_left(label, tooltip);
  ImGui::PushFont(mono_font(), 0);
  const bool changed = ImGui::InputDouble(hidden(label).c_str(), &value, 0, 0, pattern);
  ImGui::PopFont();
  return changed;
}

bool own_arrow_keys() {
  if (ImGui::GetIO().WantTextInput || ImGui::IsAnyItemActive()) return false;
  const ImGuiID owner = ImGui::GetID("arrow keys");
  for (const ImGuiKey key :
       {ImGuiKey_UpArrow, ImGuiKey_DownArrow, ImGuiKey_LeftArrow, ImGuiKey_RightArrow, ImGuiKey_Home, ImGuiKey_End})
    ImGui::SetKeyOwner(key, owner);
  return true;
}

bool text_input(const char* label, std::string& value, const char* hint, ImGuiInputTextFlags flags) {
  return ImGui::InputTextWithHint(label, hint, value.data(), value.capacity() + 1,
                                  flags | ImGuiInputTextFlags_CallbackResize, resize, &value);
}

bool text_area(const char* label, std::string& value, ImVec2 size, ImGuiInputTextFlags flags) {
  return ImGui::InputTextMultiline(label, value.data(), value.capacity() + 1, size,
                                   flags | ImGuiInputTextFlags_CallbackResize | ImGuiInputTextFlags_WordWrap, resize,
                                   &value);
}

}  // namespace lathe
