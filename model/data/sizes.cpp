#include "model/data/sizes.h"

namespace lathe {
namespace {

std::int64_t gqa_params(const ModelConfig& config) {
  const std::int64_t q_rows = config.num_attention_heads * config.head_dim;
  const std::int64_t kv_rows = config.num_key_value_heads * config.head_dim;
  std::int64_t params = 2 * config.hidden_size * (q_rows + kv_rows);
  if (config.attention_bias) params += q_rows + 2 * kv_rows;
  if (config.attention_output_bias) params += config.hidden_size;
  if (config.qk_norm) params += 2 * config.head_dim;
  return params;
}

std::int64_t mla_params(const ModelConfig& config, const AttentionConfig& mla) {
  const std::int64_t heads = config.num_attention_heads;
  const std::int64_t q_rows = heads * (mla.qk_nope_head_dim + mla.qk_rope_head_dim);
  const std::int64_t q_in = mla.q_lora_rank > 0 ? mla.q_lora_rank : config.hidden_size;
  const std::int64_t kv_a_rows = mla.kv_lora_rank + mla.qk_rope_head_dim;
  std::int64_t params = q_rows * q_in;
  if (mla.q_lora_rank > 0) params += mla.q_lora_rank * config.hidden_size + mla.q_lora_rank;
  params += kv_a_rows * config.hidden_size;
  if (mla.latent_norm) params += mla.kv_lora_rank;
  params += heads * (mla.qk_nope_head_dim + mla.v_head_dim) * mla.kv_lora_rank;
  params += config.hidden_size * heads * mla.v_head_dim;
  if (config.attention_bias) {
    params += kv_a_rows;
    params += mla.q_lora_rank > 0 ? mla.q_lora_rank : mla.query_bias ? q_rows : 0;
  }
  if (config.attention_output_bias || mla.output_bias) params += config.hidden_size;
  return params;
}

std::int64_t dense_params(const ModelConfig& config) {
  const std::int64_t biases = config.mlp_bias ? 2 * config.intermediate_size + config.hidden_size : 0;
  return 3 * config.hidden_size * config.intermediate_size + biases;
}

std::int64_t moe_params(const ModelConfig& config, const FeedForwardConfig& moe, std::int64_t experts) {
  const std::int64_t hidden = config.hidden_size;
  std::int64_t params = moe.num_experts * hidden;
  if (moe.router == RouterKind::Sigmoid) params += moe.num_experts;
  params += 3 * hidden * (experts * moe.moe_intermediate_size + moe.shared_expert_intermediate_size);
  if (moe.shared_expert_gate) params += hidden;
  if (moe.expert_bias) {
    params += moe.num_experts + experts * hidden + (moe.shared_expert_intermediate_size > 0 ? hidden : 0);
  }
  return params;
}

}  // namespace

std::int64_t attention_params(const ModelConfig& config, const AttentionConfig& attention) {
  return attention.kind == AttentionKind::Mla ? mla_params(config, attention) : gqa_params(config);
}

std::int64_t feed_forward_params(const ModelConfig& config, const FeedForwardConfig& feed_forward) {
  return feed_forward.kind == FeedForwardKind::Moe ? moe_params(config, feed_forward, feed_forward.num_experts)
                                                   : dense_params(config);
}

std::int64_t active_feed_forward_params(const ModelConfig& config, const FeedForwardConfig& feed_forward) {
  return feed_forward.kind == FeedForwardKind::Moe ? moe_params(config, feed_forward, feed_forward.num_experts_per_tok)
                                                   : dense_params(config);
}

std::int64_t kv_values_per_token(const ModelConfig& config, const AttentionConfig& attention) {
  return attention.kind == AttentionKind::Mla ? attention.kv_lora_rank + attention.qk_rope_head_dim
                                              : 2 * config.num_key_value_heads * config.head_dim;
}

Sizes sizes_of(const ModelConfig& config) {
  const std::int64_t embedding = config.vocab_size * config.hidden_size;
  const std::int64_t outside = embedding + (config.tie_word_embeddings ? 0 : embedding) + config.hidden_size;
  Sizes sizes{.params = outside, .active_params = outside};
  for (const LayerConfig& layer : config.layers) {
    const std::int64_t always = attention_params(config, layer.attention) + 2 * config.hidden_size;
    sizes.params += always + feed_forward_params(config, layer.feed_forward);
    sizes.active_params += always + active_feed_forward_params(config, layer.feed_forward);
    sizes.kv_values_per_token += kv_values_per_token(config, layer.attention);
  }
  return sizes;
}

}  // namespace lathe
