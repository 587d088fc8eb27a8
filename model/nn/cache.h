#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "model/nn/layer.h"
#include "model/nn/rope.h"

namespace lathe {

// B batch, G key-value heads, C capacity in tokens, K head_dim, L kv_lora_rank + qk_rope_head_dim

/// What one layer remembers of the tokens so far. GQA: k and v [B,G,C,K] after RoPE. MLA: only latent_BCL, a row a
/// token: the latent (after kv_a_layernorm if there is one), then the shared rope key (after RoPE).
struct LayerCache {
  at::Tensor k_BGCK, v_BGCK;
  at::Tensor latent_BCL;
};

/// The memory of one sequence batch. `length` tokens of `capacity` are filled; forward() appends.
struct Cache {
  std::vector<LayerCache> layers;
  std::shared_ptr<RopeTables> rope;  ///< of all `capacity` positions, so that a token costs no new ones
  std::int64_t length = 0;
  std::int64_t capacity = 0;

  /// Bytes held by what the layers remember.
  std::int64_t bytes() const;
};

/// Allocates a cache in the model's dtype and on its device.
Cache make_cache(const Model& model, std::int64_t batch, std::int64_t capacity);

}  // namespace lathe
