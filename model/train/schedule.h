#pragma once

#include <cstdint>

#include "model/data/train_settings.h"

namespace lathe {

/// Learning rate of step `step` (from 1): linear warm-up over warmup_steps, then half a cosine that ends at
/// lr * min_lr_ratio on the last step.
double learning_rate(const TrainSettings& settings, std::int64_t step);

}  // namespace lathe
