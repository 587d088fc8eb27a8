#include "views/command_palette.h"

#include <algorithm>

#include "views/widgets.h"

namespace lathe {
namespace {

constexpr const char* kTitle = "Command palette";

void close(UiState& ui) {
  ui.dialog = Dialog::None;
  ui.palette_query.clear();
  ui.palette_choice = 0;
  ImGui::CloseCurrentPopup();
}

/// True when the row was clicked.
bool draw_row(const Action& action, bool chosen, const ActionContext& context) {
  ImGui::PushID(action.id);
  ImGui::BeginDisabled(!action.enabled(context));
  const bool clicked = ImGui::Selectable(action.title, chosen);
  if (action.key != 0) {
    ImGui::SameLine();
    ImGui::PushStyleColor(ImGuiCol_Text, colors().faint);
    text_right(key_text(action.key).c_str());
    ImGui::PopStyleColor();
  }
  ImGui::EndDisabled();
  ImGui::PopID();
  return clicked;
}

void move_choice(UiState& ui, int count) {
  if (ImGui::IsKeyPressed(ImGuiKey_DownArrow)) ++ui.palette_choice;
  if (ImGui::IsKeyPressed(ImGuiKey_UpArrow)) --ui.palette_choice;
  ui.palette_choice = std::clamp(ui.palette_choice, 0, std::max(0, count - 1));
}

}  // namespace

void draw_command_palette(ActionContext context) {
  UiState& ui = context.ui;
  if (!ImGui::IsPopupOpen(kTitle)) ImGui::OpenPopup(kTitle);
  const ImGuiViewport* viewport = ImGui::GetMainViewport();
  ImGui::SetNextWindowPos({viewport->GetCenter().x, viewport->Pos.y + px(96)}, ImGuiCond_Always, {0.5F, 0});
  ImGui::SetNextWindowSize({std::min(px(560), viewport->Size.x - px(32)), 0});
  if (!ImGui::BeginPopup(kTitle, ImGuiWindowFlags_NoMove)) {
    ui.dialog = Dialog::None;  // a click outside closed it
    return;
  }
  if (ImGui::IsWindowAppearing()) ImGui::SetKeyboardFocusHere();
  ImGui::SetNextItemWidth(-1);
  if (text_input("##query", ui.palette_query, "Type what you want to do")) ui.palette_choice = 0;
  const std::vector<const Action*> found = search_actions(ui.palette_query);
  move_choice(ui, static_cast<int>(found.size()));
  const Action* chosen = nullptr;
  const float height = std::min(px(320), viewport->Size.y - px(192));
  if (ImGui::BeginChild("found", {0, height}, ImGuiChildFlags_None, ImGuiWindowFlags_NoNavInputs)) {
    for (int i = 0; i < static_cast<int>(found.size()); ++i) {
      const Action* action = found[static_cast<std::size_t>(i)];
      if (draw_row(*action, i == ui.palette_choice, context)) chosen = action;
      if (i == ui.palette_choice && (ImGui::IsKeyPressed(ImGuiKey_DownArrow) || ImGui::IsKeyPressed(ImGuiKey_UpArrow)))
        ImGui::SetScrollHereY();
    }
    if (found.empty()) caption("No action has this name.");
  }
  ImGui::EndChild();
  const bool enter = ImGui::IsKeyPressed(ImGuiKey_Enter) || ImGui::IsKeyPressed(ImGuiKey_KeypadEnter);
  if (enter && !found.empty()) chosen = found[static_cast<std::size_t>(ui.palette_choice)];
  if (chosen != nullptr && !chosen->enabled(context)) chosen = nullptr;
  if (chosen != nullptr || ImGui::IsKeyPressed(ImGuiKey_Escape)) close(ui);
  if (chosen != nullptr) run(*chosen, context);
  ImGui::EndPopup();
}

}  // namespace lathe
