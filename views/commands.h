#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/data/command.h"

namespace lathe {

/// A rectangle of the window, in pixels from its upper left corner.
struct PixelRect {
  float x = 0.0F, y = 0.0F, width = 0.0F, height = 0.0F;
};

/// What a path that the user picks is for.
enum class PathFor {
  OpenModelFile,
  OpenModelFolder,
  OpenModelConfig,
  OpenPlan,
  SaveModel,
  ExportModel,
  TrainingText,
  CalibrationText
};

/// What a path that was dropped on the window is for. A model's small files stand for its folder.
struct DroppedPath {
  PathFor purpose = PathFor::OpenModelFolder;
  std::string path;
};
DroppedPath dropped_path(const std::string& path);

/// The window shows the system's dialog and gives the answer to take_path().
struct AskPath {
  PathFor purpose = PathFor::OpenModelFile;
  bool from_dialog = false;  ///< one of ours made way for it, and comes back if nothing is chosen
};
/// The window asks where to and writes `content` there, atomically.
struct SaveFile {
  std::string suggestion;  ///< a file name: "loss.csv"
  std::string content;
};
/// The window reads back what the frame that posted this shows in `rect`.
struct SavePicture {
  PixelRect rect;
  std::string suggestion;
  bool to_clipboard = false;
};
struct Quit {};

/// What views ask of the window, not of the engine.
using Request = std::variant<AskPath, SaveFile, SavePicture, Quit>;

/// Where views leave what they want done; the owner of the frame takes it after drawing.
class Commands {
 public:
  /// Posts to the engine; returns the id that events about the job will carry.
  template <typename T>
  JobId post(T what) {
    posted_.push_back({++last_job_, std::move(what)});
    return last_job_;
  }
  void cancel(JobId job) { posted_.push_back({job, CancelJob{job}}); }
  void ask(Request request);
  /// Asks once `frames` more frames were drawn: a picture is taken when the menu that asked for it is gone.
  void ask_after(int frames, Request request);
  /// True while a request waits for frames: the window must not sleep.
  bool waits_for_frame() const { return !requests_.empty(); }

  /// Says that this frame shows a picture; the shell posts SetWatches when the list changes.
  void watch(Watch watch) { watches_.push_back(std::move(watch)); }

  std::vector<Command> take_posted() { return std::exchange(posted_, {}); }
  /// Call once a frame.
  std::vector<Request> take_requests();
  std::vector<Watch> take_watches() { return std::exchange(watches_, {}); }

 private:
  JobId last_job_ = 0;
  std::vector<Command> posted_;
  struct Waiting {
    int frames;
    Request request;
  };
  std::vector<Waiting> requests_;
  std::vector<Watch> watches_;
};

}  // namespace lathe
