#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/nn/layer.h"

namespace lathe {

// B batch, G key-value heads, C capacity in tokens, K head_dim, R kv_lora_rank, P qk_rope_head_dim

/// What one layer remembers of the tokens so far. GQA: k and v [B,G,C,K] after RoPE. MLA: only latent_BCR (after
/// kv_a_layernorm if there is one) and rope_key_BCP (after RoPE).
struct LayerCache {
  at::Tensor k_BGCK, v_BGCK;
  at::Tensor latent_BCR, rope_key_BCP;
};

/// The memory of one sequence batch. `length` tokens of `capacity` are filled; forward() appends.
struct Cache {
  std::vector<LayerCache> layers;
  std::int64_t length = 0;
  std::int64_t capacity = 0;

  /// Bytes held by all tensors.
  std::int64_t bytes() const;
};

/// Allocates a cache in the model's dtype and on its device.
Cache make_cache(const Model& model, std::int64_t batch, std::int64_t capacity);

}  // namespace lathe
