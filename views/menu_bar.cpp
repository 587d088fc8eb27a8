#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "views/bars.h"
#include "views/widgets.h"

namespace lathe {
namespace {

bool same(const char* a, const char* b) { return a != nullptr && std::string_view(a) == b; }

std::string title_with_detail(const Action& action, const ActionContext& context) {
  const UiState& ui = context.ui;
  const std::string title = action.title;
  const bool model = context.session.model.has_value();
  if (same(action.id, "edit.undo")) {
    if (ui.plan.can_undo()) return title + ": " + ui.plan.undo_name();
    if (model && !context.session.model->undo.empty()) return title + ": " + context.session.model->undo.front();
  }
  if (same(action.id, "edit.redo")) {
    if (ui.plan.can_redo()) return title + ": " + ui.plan.redo_name();
    if (model && !context.session.model->redo.empty()) return title + ": " + context.session.model->redo.front();
  }
  return title;
}

void draw_recent(ActionContext context) {
  if (!ImGui::BeginMenu("Open recent", !context.ui.settings.recent.empty())) return;
  const RecentModel* chosen = nullptr;
  for (const RecentModel& model : context.ui.settings.recent) {
    const std::string& path = model.path;
    std::error_code ignored;
    const bool shipped = path == "default" || path == "tiny";
    const bool there = shipped || std::filesystem::exists(path, ignored);
    if (ImGui::MenuItem(path.c_str(), there ? nullptr : "missing", false, there)) chosen = &model;
  }
  ImGui::EndMenu();
  if (chosen != nullptr) open_model(context, {.path = chosen->path, .config = chosen->config});
}

void draw_recipes(ActionContext context) {
  if (!ImGui::BeginMenu("Load recipe", !context.ui.recipes.empty() && context.session.model.has_value())) return;
  for (const Recipe& recipe : context.ui.recipes) {
    const ShortText counts = format("%lld MLA, %lld MoE", static_cast<long long>(recipe.plan.num_mla()),
                                    static_cast<long long>(recipe.plan.num_moe()));
    if (ImGui::MenuItem(recipe.name.c_str(), counts.c_str())) load_recipe(context, recipe);
    if (!recipe.plan.description.empty()) explain(recipe.plan.description.c_str());
  }
  ImGui::EndMenu();
}

bool is_checked(const Action& action, const UiState& ui) {
  for (int i = 0; i < kNumWorkspaces; ++i) {
    if (same(action.title, name_of(static_cast<Workspace>(i))))
      return ui.settings.workspace == static_cast<Workspace>(i);
  }
  return false;
}

void draw_menu(const char* menu, ActionContext context) {
  // Menus open at the padding of the bar, their items at the normal one.
  if (!ImGui::BeginMenu(menu)) return;
  for (const Action& action : actions()) {
    if (!same(action.menu, menu)) continue;
    if (same(action.id, "plan.open") || same(action.id, "app.quit") || same(action.id, "view.theme") ||
        same(action.id, "board.select-all") || same(action.id, "plan.suggest") || same(action.id, "help.about"))
      ImGui::Separator();
    const std::string title = title_with_detail(action, context);
    if (ImGui::MenuItem(title.c_str(), key_text(action.key).c_str(), is_checked(action, context.ui),
                        action.enabled(context)))
      run(action, context);
    if (same(action.id, "model.open-tiny")) draw_recent(context);
    if (same(action.id, "plan.save")) draw_recipes(context);
  }
  ImGui::EndMenu();
}

/// The four workspaces, the one in use underlined in the accent.
void draw_workspace_tabs(UiState& ui) {
  for (int i = 0; i < kNumWorkspaces; ++i) {
    const auto workspace = static_cast<Workspace>(i);
    const bool on = ui.settings.workspace == workspace;
    ImGui::PushStyleColor(ImGuiCol_Text, on ? colors().text : colors().dim);
    if (on) ImGui::PushFont(bold_font(), 0);
    if (quiet_button(name_of(workspace))) ui.settings.workspace = workspace;
    if (on) ImGui::PopFont();
    ImGui::PopStyleColor();
    const PixelRect rect = last_item_rect();
    if (on)
      ImGui::GetWindowDrawList()->AddRectFilled({rect.x + px(8), rect.y + rect.height - px(2)},
                                                {rect.x + rect.width - px(8), rect.y + rect.height},
                                                color(colors().accent), px(1));
  }
}

float workspace_tabs_width() {
  float width = 0;
  for (int i = 0; i < kNumWorkspaces; ++i)
    width += ImGui::CalcTextSize(name_of(static_cast<Workspace>(i))).x + 2 * ImGui::GetStyle().FramePadding.x +
             ImGui::GetStyle().ItemSpacing.x;
  return width;
}

/// What is open, at the right end; cut in front where there is no room.
void draw_model(const Session& session) {
  if (!session.model) return;
  const ModelInfo& model = *session.model;
  const ShortText text = format("%s%s   %s \u00b7 %s", model.name.c_str(), model.saved ? "" : " \u25cf",
                                model.device.c_str(), model.dtype.c_str());
  const float width = ImGui::CalcTextSize(text.c_str()).x + px(8);
  const float space = ImGui::GetContentRegionAvail().x;
  if (space < px(60)) return;
  ImGui::SetCursorPosX(ImGui::GetCursorPosX() + std::max(0.0F, space - width));
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  ImGui::TextUnformatted(text.c_str());
  ImGui::PopStyleColor();
  if (!ImGui::IsItemHovered()) return;
  const std::string details = model.name + "\n" + model.format + "\n" + model.path + "\n" + model.device + ", " +
                              model.dtype + "\nsha256 of all tensors " + model.sha256.substr(0, 16) +
                              (model.saved ? "" : "\nChanged and not saved");
  explain(details.c_str());
}

}  // namespace

void draw_menu_bar(ActionContext context) {
  ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, {px(8), px(7)});
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 0);
  if (ImGui::BeginMainMenuBar()) {
    for (const char* menu : {"File", "Edit", "View", "Model", "Run", "Help"}) draw_menu(menu, context);
    const float centered = (ImGui::GetWindowWidth() - workspace_tabs_width()) / 2;
    ImGui::SetCursorPosX(std::max(ImGui::GetCursorPosX() + px(16), centered));
    draw_workspace_tabs(context.ui);
    draw_model(context.session);
    ImGui::EndMainMenuBar();
  }
  ImGui::PopStyleVar(2);
}

}  // namespace lathe
