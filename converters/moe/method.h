#pragma once

#include <cstdint>

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
};

using FeedForwardMethod = MoeFeedForward (*)(const FeedForwardTask& task);

}  // namespace lathe
