#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/data/session.h"
#include "views/format.h"

namespace lathe {

/// How fast the stage of a job goes, from when the stage was first seen: earlier stages count in other units and would
/// make it look slow.
class StageSpeed {
 public:
  /// Call it every frame in which the job runs.
  void follow(const JobView& job);

  double units_per_second() const;  ///< 0: not known yet
  double seconds_left() const;      ///< of the stage; negative: not known yet

 private:
  std::string stage_;
  std::int64_t first_done_ = 0, done_ = 0, total_ = 0;
  double first_seconds_ = 0.0, seconds_ = 0.0;
};

/// "3.40 layers/s"; "12.5 s/step" below one a second; "1.07 GB/s" for bytes.
ShortText speed_text(double units_per_second, std::string_view unit);

}  // namespace lathe
