#pragma once

#include <nlohmann/json_fwd.hpp>

#include "model/data/config.h"

namespace lathe {

/// CPU milliseconds that the frame code of each workspace takes on this machine, nothing drawn to a screen: median and
/// 95th percentile, with a model of `config` and a training history of 10,000 steps over six routers.
/// Null in a build without a window.
nlohmann::json measure_frame_cost(const ModelConfig& config);

}  // namespace lathe
