#pragma once

#include <array>
#include <memory>
#include <vector>

#include "model/data/session.h"
#include "views/commands.h"
#include "views/ui_state.h"

namespace lathe {

/// Where a view sits in the layout that the program starts with.
enum class Place { None, Left, Center, CenterBelow, Right, Bottom };

/// A panel: a picture of the session that leaves commands. It holds caches of what it draws and nothing else.
class View {
 public:
  struct Info {
    const char* id;     ///< stable: names the window in the saved layout
    const char* title;  ///< on the tab
    std::array<Place, kNumWorkspaces> places;
  };

  virtual ~View() = default;
  virtual Info info() const = 0;
  /// Draws into the current window.
  virtual void draw(const Session& session, UiState& ui, Commands& commands) = 0;
};

/// All views, in the order of their tabs. Adding a view is adding a line to registry.cpp.
std::vector<std::unique_ptr<View>> make_views();

}  // namespace lathe
