#pragma once

#include <cstdint>

#include "model/data/config.h"

namespace lathe {

/// Exact counts, by arithmetic on the configuration alone.
struct Sizes {
  std::int64_t params = 0;
  std::int64_t active_params = 0;        ///< what one token passes through: num_experts_per_tok of the routed experts
  std::int64_t kv_values_per_token = 0;  ///< cached numbers per token; times the bytes of the cache's dtype
};

std::int64_t attention_params(const ModelConfig& config, const AttentionConfig& attention);
std::int64_t feed_forward_params(const ModelConfig& config, const FeedForwardConfig& feed_forward);
std::int64_t active_feed_forward_params(const ModelConfig& config, const FeedForwardConfig& feed_forward);

/// GQA caches 2 * num_key_value_heads * head_dim values a token, MLA kv_lora_rank + qk_rope_head_dim.
std::int64_t kv_values_per_token(const ModelConfig& config, const AttentionConfig& attention);

/// The whole model, embeddings and norms included; a tied head counts once.
Sizes sizes_of(const ModelConfig& config);

}  // namespace lathe
