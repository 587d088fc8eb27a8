#pragma once

#include <functional>
#include <memory>
#include <string>

#include "views/commands.h"

namespace lathe {

/// The system's file dialogs, one at a time, without stopping the frame loop. Where the system has none (neither zenity
/// nor kdialog), a small window of our own asks for the path.
class PathDialogs {
 public:
  using Answer = std::function<void(const std::string& path)>;

  PathDialogs();
  ~PathDialogs();

  /// Opens the dialog for the purpose; draw() calls `answer`, or `cancelled` if the user chooses nothing.
  void ask(PathFor purpose, Answer answer, std::function<void()> cancelled);
  /// Asks where to save a file of this name.
  void ask_save(const std::string& suggestion, Answer answer);

  /// Call once a frame, between ImGui::NewFrame() and Render().
  void draw();
  bool is_open() const { return open_ != nullptr; }

 private:
  struct Open;
  void close(const std::string& path);
  void poll_system();
  void draw_prompt();

  std::unique_ptr<Open> open_;
};

}  // namespace lathe
