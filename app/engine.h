#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "model/data/command.h"
#include "model/data/event.h"
#include "model/data/job.h"
#include "model/data/snapshot.h"

namespace lathe {

/// What a running command may do besides compute: report, and ask what the window shows right now.
struct Outbox {
  std::function<void(Event)> event;       ///< ordered and lossless; waits while the reader is far behind
  std::function<void(Snapshot)> picture;  ///< newest wins
  std::function<std::vector<Watch>()> watches;
};

/// Does what commands ask, one at a time, on the worker's thread. Has no torch types, so that the worker, the window
/// and their tests need none.
class Engine {
 public:
  virtual ~Engine() = default;

  /// Runs the command to its end. Throws Error if it cannot be done and Cancelled if the job was stopped; in both cases
  /// the model is as it was before.
  virtual void run(const Command& command, const Job& job, const Outbox& outbox) = 0;

  /// What the process and the device hold now; asked about once a second while a job runs.
  virtual MemoryUse memory_use() const { return {}; }
};

}  // namespace lathe
