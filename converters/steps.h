#pragma once

#include <cstdint>
#include <string_view>

#include "model/data/job.h"

namespace lathe {

/// One bar for all stages of a conversion. The unit is one window passing one layer.
class Steps {
 public:
  Steps(const Job& job, std::int64_t total) : job_(job), total_(total) {}

  /// Reports `windows` more; throws Cancelled to stop.
  void add(std::string_view stage, std::int64_t windows) {
    done_ += windows;
    job_.progress(stage, "layer passes", done_, total_);
  }

 private:
  const Job& job_;
  std::int64_t done_ = 0;
  std::int64_t total_ = 0;
};

}  // namespace lathe
