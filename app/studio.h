#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "app/path_dialogs.h"
#include "app/script.h"
#include "app/window.h"
#include "app/worker.h"
#include "model/data/session.h"
#include "views/shell.h"

namespace lathe {

struct StudioOptions {
  std::string model;   ///< opened at start; empty: none
  std::string config;  ///< in place of the config.json beside the model's weights
  std::string script;  ///< file of steps to play, then quit; empty: none
  std::string device = "auto";
  std::string dtype = "auto";
  int threads = 0;
  int width = 1280;
  int height = 800;
};

/// The program with its window: one engine, one session, one frame loop.
class Studio {
 public:
  /// Throws Error if there is no display.
  explicit Studio(const StudioOptions& options);

  /// Until the user quits or the script ends. Throws Error if a step of the script failed.
  void run();

 private:
  using Clock = std::chrono::steady_clock;

  void frame();
  void tell_when_on_screen();
  void take_news();
  void post_commands();
  void take_dropped();
  void do_requests();
  void take_path(PathFor purpose, const std::string& path);
  /// The dialog that made way for the system's comes back.
  void take_no_path(const AskPath& asked);
  void save_picture(const SavePicture& request);
  void save_screenshot();
  void keep_settings();
  void quit_if_asked();
  /// Whether a frame drawn now would show something new.
  bool wants_frame() const;
  double seconds_to_sleep() const;

  /// Runs `what`; what it throws becomes the notice in the status bar.
  template <typename What>
  void or_notice(What what);

  StudioOptions options_;
  Window window_;
  Session session_;
  UiState ui_;
  Settings saved_settings_;
  Shell shell_;
  Commands commands_;
  PathDialogs dialogs_;
  std::optional<Script> script_;
  bool quit_ = false;
  bool on_screen_ = false;
  int frames_to_draw_ = 3;
  Clock::time_point last_input_ = Clock::now();
  Worker previewer_;  ///< looks at files while the engine computes
  Worker worker_;     ///< last: ends before what its events describe
};

}  // namespace lathe
