#include "views/job_speed.h"

namespace lathe {

void StageSpeed::follow(const JobView& job) {
  const Progress& progress = job.progress;
  if (stage_ != progress.stage || progress.total != total_ || progress.done < first_done_) {
    stage_ = progress.stage;
    total_ = progress.total;
    first_done_ = progress.done;
    first_seconds_ = job.seconds;
  }
  done_ = progress.done;
  seconds_ = job.seconds;
}

double StageSpeed::units_per_second() const {
  const double spent = seconds_ - first_seconds_;
  return spent > 0.0 ? static_cast<double>(done_ - first_done_) / spent : 0.0;
}

double StageSpeed::seconds_left() const {
  const double speed = units_per_second();
  return speed > 0.0 && total_ > 0 ? static_cast<double>(total_ - done_) / speed : -1.0;
}

ShortText speed_text(double units_per_second, std::string_view unit) {
  if (unit == "bytes") return format("%s/s", format_bytes(static_cast<std::int64_t>(units_per_second)).c_str());
  const auto length = [](std::string_view text) { return static_cast<int>(text.size()); };
  if (units_per_second >= 1.0)
    return format("%s %.*s/s", format_value(units_per_second).c_str(), length(unit), unit.data());
  const std::string_view one = unit.ends_with('s') ? unit.substr(0, unit.size() - 1) : unit;
  return format("%s s/%.*s", format_value(1.0 / units_per_second).c_str(), length(one), one.data());
}

}  // namespace lathe
