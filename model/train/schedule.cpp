#include "model/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lathe {

double learning_rate(const TrainSettings& settings, std::int64_t step) {
  const auto at = static_cast<double>(step);
  const auto warmup = static_cast<double>(settings.warmup_steps);
  if (step <= settings.warmup_steps) return settings.lr * at / warmup;
  const double span = std::max(1.0, static_cast<double>(settings.steps) - warmup);
  const double done = std::min(1.0, (at - warmup) / span);
  const double cosine = 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  return settings.lr * (settings.min_lr_ratio + (1.0 - settings.min_lr_ratio) * cosine);
}

}  // namespace lathe
