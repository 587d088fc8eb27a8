#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "views/actions.h"

namespace lathe {

/// A list of steps that the window plays as if a user did them: how the project's screenshots are made, and tested.
/// One step a line, `#` starts a comment:
///   open MODEL | recipe NAME | prompt TEXT | steps N | save FOLDER
///   action ID        runs the action of menus and keys; it must be enabled
///   wait             until no job runs or waits and what is shown is drawn; a failed job ends the script
///   wait-steps N     until the training run that goes on has done N steps
///   screenshot FILE  of the whole window, as PNG
class Script {
 public:
  /// Throws Error that names the line of an unknown step.
  static Script read(const std::filesystem::path& path);

  /// Does what is due, once a frame. Throws Error that names the line of a step that cannot be done.
  void play(ActionContext context);

  /// Where to save the frame that is drawn now; empty if it is not to be saved.
  std::string take_screenshot();

  bool is_done() const { return next_ == steps_.size() && screenshot_.empty(); }

 private:
  struct Step {
    int line = 0;
    std::string verb;
    std::string argument;
  };

  /// False while the step still waits.
  bool run(const Step& step, ActionContext& context);
  bool wait_for_jobs(const ActionContext& context) const;

  std::filesystem::path path_;
  std::vector<Step> steps_;
  std::size_t next_ = 0;
  int frames_ = 0;  ///< drawn since the last step
  std::string screenshot_;
};

}  // namespace lathe
