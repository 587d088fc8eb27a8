#pragma once

#include <memory>
#include <vector>

#include "views/open_dialog.h"
#include "views/view.h"

namespace lathe {

/// The whole window: menus, top bar, the views of the workspace, status bar, dialogs and the tour.
class Shell {
 public:
  Shell();

  /// One frame, between ImGui::NewFrame() and Render(). Applies the theme when it changed, keeps `ui` up to date with
  /// the session and posts SetWatches when what is visible changed.
  void draw(const Session& session, UiState& ui, Commands& commands);

 private:
  void apply_settings(const UiState& ui);
  /// Shows the tab that an action asked for, unless that would interrupt typing.
  void bring_forward(UiState& ui);
  void draw_workspaces(const Session& session, UiState& ui, Commands& commands);
  void post_watches(const Session& session, Commands& commands);

  std::vector<std::unique_ptr<View>> views_;
  OpenDialog open_dialog_;
  std::vector<Watch> watches_;
  std::string watched_model_;
  Theme theme_ = Theme::Dark;
  float scale_ = 0.0F;  ///< 0: not applied yet
};

/// What keeps the window awake: jobs, waiting requests, open animations.
bool wants_frames(const Session& session, const UiState& ui, const Commands& commands);

}  // namespace lathe
