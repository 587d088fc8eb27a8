#pragma once

#include <cstdint>

#include "model/data/config.h"
#include "model/data/train_settings.h"

namespace lathe {

/// How many weights a run would change, by arithmetic on the configuration.
std::int64_t trainable_params(const ModelConfig& config, Trainable trainable);

}  // namespace lathe
