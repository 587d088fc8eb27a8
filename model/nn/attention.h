#pragma once

#include <ATen/core/Tensor.h>

#include "model/data/config.h"
#include "model/nn/forward.h"
#include "model/nn/layer.h"

namespace lathe {

// B batch, T new tokens, S all tokens seen, H query heads, G key-value heads, K width of q and k, W width of v

/// Queries against all keys seen; `scale` multiplies the scores.
struct AttentionInputs {
  at::Tensor q_BHTK;
  at::Tensor k_BGSK;
  at::Tensor v_BGSW;
  double scale = 1.0;
};

/// softmax(scale q k^T, causal) v -> [B,H,T,W]; query t sees keys up to S - T + t. H is a multiple of G.
/// `mask_TS` is BlockContext's: undefined unless several new tokens follow cached ones.
at::Tensor attend(const AttentionInputs& inputs, const at::Tensor& mask_TS);

/// The probabilities that attend() uses, fp32 [B,H,T,S]; for pictures, not for the way through the network.
/// `window` > 0: a query sees so many keys, its own included.
at::Tensor attention_weights(const AttentionInputs& inputs, std::int64_t window = 0);

/// Grouped-query attention with RoPE and, if the context has one, the cache of layer `index`. x_BTD -> [B,T,D].
/// Source: Hugging Face LlamaAttention, MistralAttention (sliding window), Qwen3MoeAttention (qk_norm).
at::Tensor grouped_query_attention(const ModelConfig& config, const Layer& layer, std::int64_t index,
                                   const at::Tensor& x_BTD, const BlockContext& context);

/// The options of the call, or the defaults.
const ForwardOptions& options_of(const BlockContext& context);

}  // namespace lathe
