#pragma once

#include <functional>

#include "converters/streams.h"
#include "model/data/plan.h"
#include "model/data/receipt.h"
#include "model/nn/layer.h"

namespace lathe {

/// How many passes of a window through a layer one converted part costs, measurements included.
inline constexpr std::int64_t kAttentionPasses = 8;
/// And what healing costs beside its steps: to solve o_proj once more, and to measure.
inline constexpr std::int64_t kHealPasses = 2;
inline constexpr std::int64_t kFeedForwardPasses = 3;

/// One part of one layer to convert.
struct LayerTask {
  const Model& original;
  const Model& converted;      ///< the model so far
  const ModelConfig& planned;  ///< planned_config() of the whole plan
  const ConversionPlan& plan;
  const Streams& streams;  ///< before this layer
  std::int64_t index = 0;
  at::Tensor fisher_MM{};  ///< of the layer's keys and values; undefined where its method needs none
  std::function<void(std::string_view stage, std::int64_t windows)> tick;
};

struct ConvertedLayer {
  LayerPtr layer;
  LayerReceipt receipt;
};

/// The layer with its attention, or its feed-forward, converted; all else is shared with what it was.
/// Throws Error if a weight of the result is not finite; Cancelled.
ConvertedLayer convert_attention(const LayerTask& task);
ConvertedLayer convert_feed_forward(const LayerTask& task);

}  // namespace lathe
