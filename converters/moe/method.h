#pragma once

#include <cstdint>
#include <functional>

#include "model/data/plan.h"
#include "model/nn/layer.h"

namespace lathe {

/// One dense feed-forward block to turn into MoE. Every random number is drawn from `seed`, the layer's number and the
/// expert's, on the CPU: neither the order of layers nor the device changes the result.
struct FeedForwardTask {
  const DenseFeedForward& dense;
  std::int64_t index = 0;
  const MoePlan& plan;
  std::uint64_t seed = 0;
  std::function<void()> tick;  ///< called once an expert; throws Cancelled to stop
};

/// Turns one layer's feed-forward into MoE of the sizes that planned_config() gives.
using FeedForwardMethod = MoeFeedForward (*)(const FeedForwardTask& task);

}  // namespace lathe
