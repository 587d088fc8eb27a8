#include "views/shell.h"

#include <imgui.h>

#include <string_view>
#include <utility>

#include "views/actions.h"
#include "views/bars.h"
#include "views/dialogs.h"
#include "views/tour.h"
#include "views/workspace_layout.h"

namespace lathe {

Shell::Shell() : views_(make_views()) {}

void Shell::apply_settings(const UiState& ui) {
  const float scale = ui.settings.scale * ui.display_scale;
  if (scale == scale_ && ui.settings.theme == theme_) return;
  theme_ = ui.settings.theme;
  scale_ = scale;
  apply_theme(theme_, scale_);
}

void Shell::draw(const Session& session, UiState& ui, Commands& commands) {
  apply_settings(ui);
  follow(session, ui);
  const ActionContext context{session, ui, commands};
  handle_keys(context);
  draw_menu_bar(context);
  draw_top_bar(context);
  draw_status_bar(session, ui);
  draw_workspaces(session, ui, commands);
  draw_dialogs(context);
  open_dialog_.draw(context);
  draw_failures(context);
  draw_tour(context);
  post_watches(session, commands);
}

void Shell::bring_forward(UiState& ui) {
  const char* wanted = std::exchange(ui.focus_view, nullptr);
  if (wanted == nullptr || ImGui::GetIO().WantTextInput) return;
  for (const std::unique_ptr<View>& view : views_) {
    const View::Info info = view->info();
    if (std::string_view(info.id) == wanted) show_tab(info, ui.settings.workspace);
  }
}

void Shell::draw_workspaces(const Session& session, UiState& ui, Commands& commands) {
  const Workspace workspace = ui.settings.workspace;
  submit_dockspaces(workspace, views_, ui.reset_layout);
  ui.reset_layout = false;
  bring_forward(ui);
  for (const std::unique_ptr<View>& view : views_) {
    if (view->info().places[static_cast<std::size_t>(workspace)] == Place::None) continue;
    const ShortText name = window_name(view->info(), workspace);
    if (ImGui::Begin(name.c_str(), nullptr, ImGuiWindowFlags_NoCollapse | ImGuiWindowFlags_NoFocusOnAppearing))
      view->draw(session, ui, commands);
    ImGui::End();
  }
}

void Shell::post_watches(const Session& session, Commands& commands) {
  std::vector<Watch> watches = commands.take_watches();
  const std::string_view model = session.model ? std::string_view(session.model->path) : std::string_view();
  if (watches == watches_ && model == watched_model_) return;
  watched_model_ = model;
  watches_ = std::move(watches);
  if (session.model) commands.post(SetWatches{watches_});
}

bool wants_frames(const Session& session, const UiState& ui, const Commands& commands) {
  return is_busy(session) || session.previewing != 0 || commands.waits_for_frame() ||
         is_pending(session, ui.open_job) || is_pending(session, ui.convert_job) || is_pending(session, ui.train_job) ||
         is_writing(session, ui);
}

}  // namespace lathe
