#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "model/data/error.h"

namespace lathe {

/// How far a long piece of work is. `done` and `total` count in `unit` ("layers", "bytes", "tokens", "steps").
struct Progress {
  std::string stage;
  std::string unit;
  std::int64_t done = 0;
  std::int64_t total = 0;
};

/// What a long loop needs from its caller: a place to report to and a request to stop.
/// A default Job reports nowhere and never stops, so that every function that takes one can be called without an
/// engine.
class Job {
 public:
  Job() = default;
  Job(std::stop_token stop, std::function<void(const Progress&)> report)
      : stop_(std::move(stop)), report_(std::move(report)) {}

  /// Throws Cancelled if a stop was requested. Call it at every layer, step, token and shard.
  void check() const {
    if (stop_.stop_requested()) throw Cancelled();
  }

  /// check(), then reports. Cheap enough for every token; the receiver limits its own rate.
  void progress(std::string_view stage, std::string_view unit, std::int64_t done, std::int64_t total) const {
    check();
    if (report_) report_({std::string(stage), std::string(unit), done, total});
  }

 private:
  std::stop_token stop_;
  std::function<void(const Progress&)> report_;
};

}  // namespace lathe
