#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/worker.h"

namespace lathe {

/// What all commands of the command line share.
struct CliOptions {
  bool json = false;
  bool quiet = false;  ///< no progress on stderr
  std::string device = "auto";
  std::string dtype = "auto";
  std::string config;  ///< in place of the config.json beside the weights of MODEL; empty: that one
  int threads = 0;     ///< 0: as many as the machine has
};

/// Drives the engine as the window does: posts commands, reads events. Progress goes to stderr, Ctrl+C cancels the job.
class Client {
 public:
  explicit Client(const CliOptions& options);

  /// The id of the next job: for who shows a command to a session before run() posts it.
  JobId new_job() { return next_job_++; }

  /// Posts the command and waits for its end; `on_event` sees each of its events. A command without an id gets one.
  /// Throws Error with the job's message if it failed, Cancelled if it was stopped.
  void run(Command command, const std::function<void(const Event&)>& on_event = {});

  /// The newest pictures, as the worker gives them.
  std::vector<Snapshot> pictures() { return worker_.pictures(); }

  /// OpenModel with the options' device, dtype and config. Returns what was opened.
  ModelInfo open(const std::string& model);

 private:
  void show(const JobProgress& progress);
  void clear_line();

  CliOptions options_;
  Worker worker_;
  JobId next_job_ = 1;
  bool line_shown_ = false;
};

}  // namespace lathe
