#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "model/nn/cache.h"
#include "model/nn/layer.h"
#include "model/nn/probe.h"
#include "model/nn/rope.h"

namespace lathe {

// B batch, T new tokens, S all tokens seen (cache + new), N = B*T, D hidden_size, V vocabulary, E experts, K chosen

/// What one MoE layer's router did, attached to the graph: the balance loss is made of it.
struct RouterRecord {
  std::int64_t layer = 0;
  at::Tensor logits_NE;
  at::Tensor choice_NK;   ///< int64
  at::Tensor weights_NK;  ///< as they scale the experts' outputs
};

/// Everything about one forward call but the model and its input. All pointers are borrowed and may be null.
struct ForwardOptions {
  Cache* cache = nullptr;  ///< appended to; positions start at cache->length
  const Probe* probe = nullptr;
  std::vector<RouterRecord>* routers = nullptr;  ///< one record per MoE layer is appended
  bool absorb = true;                            ///< MLA with a cache and few new tokens: attend in the latent space
};

/// The last block's output after the final norm: ids_BT (int64) -> [B,T,D].
at::Tensor hidden_states(const Model& model, const at::Tensor& ids_BT, const ForwardOptions& options = {});

/// hidden_BTD -> logits [B,T,V] in the model's dtype.
at::Tensor output_logits(const Model& model, const at::Tensor& hidden_BTD);

/// ids_BT -> logits [B,T,V]. The whole network at once; generation uses the two parts to skip the head where it can.
at::Tensor forward(const Model& model, const at::Tensor& ids_BT, const ForwardOptions& options = {});

/// What blocks share in one call: positions, RoPE tables, mask; made once per forward.
struct BlockContext {
  PositionRange positions;  ///< of the new tokens
  std::shared_ptr<RopeTables> rope;
  at::Tensor mask_TS;  ///< bool, true where a query sees a key; undefined unless T > 1 tokens follow cached ones
  const ForwardOptions* options = nullptr;
};

/// Context for new tokens at `positions` on the model's device.
BlockContext make_block_context(const Model& model, const PositionRange& positions, const ForwardOptions& options);

/// One decoder block with its residuals: x_BTD -> [B,T,D]. `index` is the layer's number (cache slot, probe).
at::Tensor block_forward(const Model& model, std::int64_t index, const at::Tensor& x_BTD, const BlockContext& context);

/// The two halves of a block, without norm and residual, for a layer that need not be part of the model yet: the
/// conversions measure them. x_BTD is the normed input.
at::Tensor attention_forward(const ModelConfig& config, const Layer& layer, std::int64_t index, const at::Tensor& x_BTD,
                             const BlockContext& context);
at::Tensor feed_forward_forward(const Layer& layer, std::int64_t index, const at::Tensor& x_BTD,
                                const BlockContext& context);

}  // namespace lathe
