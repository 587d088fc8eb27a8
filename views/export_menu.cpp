// The part of widgets.h that copies and saves what a panel shows.
#include "views/widgets.h"

#include <cmath>

namespace lathe {
namespace {

// The menu closes in the frame that chose the item and is gone from the picture in the one after.
constexpr int kFramesUntilMenuIsGone = 2;

std::string file_name(const char* name, const char* extension) { return std::string(name) + extension; }

}  // namespace

PixelRect last_item_rect() {
  const ImVec2 low = ImGui::GetItemRectMin();
  const ImVec2 size = ImGui::GetItemRectSize();
  return {low.x, low.y, size.x, size.y};
}

void export_button(const char* id) {
  const float width = ImGui::CalcTextSize("Export").x + 2 * ImGui::GetStyle().FramePadding.x;
  const float space = ImGui::GetContentRegionAvail().x - width;
  if (space > 0) ImGui::SetCursorPosX(ImGui::GetCursorPosX() + space);
  ImGui::PushID(id);
  const bool pressed = quiet_button("Export", "Copy or save this panel as picture or data");
  ImGui::PopID();
  if (pressed) ImGui::OpenPopup(id);
}

void export_menu(const char* id, const PixelRect& rect, const Exports& exports, Commands& commands) {
  const ImVec2 low = {rect.x, rect.y};
  const ImVec2 high = {rect.x + rect.width, rect.y + rect.height};
  // Dragging with the right button zooms a plot and must not end in a menu.
  const ImVec2 dragged = ImGui::GetMouseDragDelta(ImGuiMouseButton_Right, 0.0F);
  const bool clicked = ImGui::IsMouseReleased(ImGuiMouseButton_Right) &&
                       ImGui::IsWindowHovered(ImGuiHoveredFlags_ChildWindows) &&
                       ImGui::IsMouseHoveringRect(low, high) && std::abs(dragged.x) + std::abs(dragged.y) < px(6);
  if (clicked) ImGui::OpenPopup(id);
  if (!ImGui::BeginPopup(id)) return;
  if (ImGui::MenuItem("Copy as picture"))
    commands.ask_after(kFramesUntilMenuIsGone, SavePicture{rect, file_name(exports.name, ".png"), true});
  if (ImGui::MenuItem("Save PNG\u2026"))
    commands.ask_after(kFramesUntilMenuIsGone, SavePicture{rect, file_name(exports.name, ".png"), false});
  if (exports.csv) {
    ImGui::Separator();
    if (ImGui::MenuItem("Copy data")) ImGui::SetClipboardText(exports.csv().c_str());
    if (ImGui::MenuItem("Save CSV\u2026")) commands.ask(SaveFile{file_name(exports.name, ".csv"), exports.csv()});
  }
  if (exports.json && ImGui::MenuItem("Save JSON\u2026"))
    commands.ask(SaveFile{file_name(exports.name, ".json"), exports.json()});
  ImGui::EndPopup();
}

}  // namespace lathe
