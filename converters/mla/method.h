#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "model/data/plan.h"
#include "model/data/receipt.h"
#include "model/nn/forward.h"
#include "model/nn/layer.h"

namespace lathe {

// B windows, T tokens of each, D hidden_size

/// One GQA layer to turn into MLA, and the calibration activations. The inputs are those after the layer's norm.
struct AttentionTask {
  const ModelConfig& config;
  const Layer& layer;
  std::int64_t index = 0;
  const MlaPlan& plan;
  const AttentionConfig& planned;  ///< what the layer's attention will be
  const BlockContext& context;     ///< for T tokens from position 0
  at::Tensor x_BTD;                ///< inputs that passed the layers converted so far: statistics are taken of these
  at::Tensor original_x_BTD;       ///< inputs in the model before the conversion: errors are measured on these
  at::Tensor original_y_BTD;       ///< what the layer's attention makes of original_x, in fp32
  at::Tensor fisher_MM{};          ///< of the layer, see fisher.h; undefined for methods that do not ask for it
  /// Called often, with the number of windows worked through since the last call; throws Cancelled to stop.
  std::function<void(std::string_view stage, std::int64_t windows)> tick;
};

struct AttentionResult {
  LatentAttention attention;
  std::vector<std::int64_t> rope_pairs;  ///< empty: as planned
  std::vector<StageCost> stages;
  LatentSpectrum spectrum;
};

/// Turns one layer's attention into MLA of the sizes that planned_config() gives.
using AttentionMethod = AttentionResult (*)(const AttentionTask& task);

}  // namespace lathe
