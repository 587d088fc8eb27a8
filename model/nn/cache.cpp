#include "model/nn/cache.h"

#include <ATen/ops/empty.h>

namespace lathe {

std::int64_t Cache::bytes() const {
  std::int64_t sum = 0;
  for (const LayerCache& layer : layers) {
    for (const at::Tensor& tensor : {layer.k_BGCK, layer.v_BGCK, layer.latent_BCL}) {
      if (tensor.defined()) sum += static_cast<std::int64_t>(tensor.nbytes());
    }
  }
  return sum;
}

Cache make_cache(const Model& model, std::int64_t batch, std::int64_t capacity) {
  const ModelConfig& config = model.config;
  const auto options = at::TensorOptions().dtype(model.dtype()).device(model.device());
  Cache cache;
  cache.capacity = capacity;
  cache.rope = std::make_shared<RopeTables>(model, PositionRange{0, capacity});
  for (const LayerConfig& layer : config.layers) {
    LayerCache& slot = cache.layers.emplace_back();
    if (layer.attention.kind == AttentionKind::Mla) {
      const std::int64_t width = layer.attention.kv_lora_rank + layer.attention.qk_rope_head_dim;
      slot.latent_BCL = at::empty({batch, capacity, width}, options);
    } else {
      slot.k_BGCK = at::empty({batch, config.num_key_value_heads, capacity, config.head_dim}, options);
      slot.v_BGCK = at::empty({batch, config.num_key_value_heads, capacity, config.head_dim}, options);
    }
  }
  return cache;
}

}  // namespace lathe
