#pragma once

#include <functional>
#include <memory>
#include <string>

#include "views/commands.h"

namespace lathe {

/// The system's file dialogs, one at a time, without stopping the frame loop.
class PathDialogs {
 public:
  using Answer = std::function<void(const std::string& path)>;

  PathDialogs();
  ~PathDialogs();

  /// Opens the dialog for the purpose; `answer` is called by poll() unless the user cancels.
  void ask(PathFor purpose, Answer answer);
  /// Asks where to save a file of this name.
  void ask_save(const std::string& suggestion, Answer answer);

  /// Call once a frame.
  void poll();
  bool is_open() const;

 private:
  struct Open;
  std::unique_ptr<Open> open_;
};

}  // namespace lathe
