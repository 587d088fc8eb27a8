#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "model/data/plan.h"
#include "model/nn/layer.h"

namespace lathe {

// B windows, T tokens of each, D hidden_size

/// What a layer's feed-forward meets on the calibration text, after the layers converted so far.
struct Activations {
  at::Tensor x_BTD;         ///< its input, after the norm
  at::Tensor residual_BTD;  ///< the stream that its output is added to
  at::Tensor target_BTD;    ///< what it has to add for the stream to be the original model's after this layer
};

/// How many passes of a window through a layer they cost, and a method's own three passes over the text.
inline constexpr std::int64_t kActivationPasses = 5;

/// One dense feed-forward block to turn into MoE. Every random number is drawn from `seed`, the layer's number and the
/// expert's, on the CPU: neither the order of layers nor the device changes the result.
struct FeedForwardTask {
  const DenseFeedForward& dense;
  std::int64_t index = 0;
  const MoePlan& plan;
  FeedForwardConfig planned;  ///< what the layer's feed-forward will be
  std::uint64_t seed = 0;
  Activations activations{};  ///< undefined for methods that do not ask for them
  /// Called once an expert, and with the number of windows worked through since the last call; throws Cancelled to
  /// stop.
  std::function<void(std::int64_t windows)> tick;
  /// Measures the block as it is after a stage that is not the last.
  std::function<void(std::string_view stage, const MoeFeedForward& moe)> note;
};

/// Turns one layer's feed-forward into MoE of the sizes that planned_config() gives.
using FeedForwardMethod = MoeFeedForward (*)(const FeedForwardTask& task);

}  // namespace lathe
