#include "model/nn/skeleton.h"

#include <ATen/ops/empty.h>

namespace lathe {
namespace {

at::Tensor meta(at::IntArrayRef shape) {
  return at::empty(shape, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
}

struct LinearShape {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  bool has_bias = false;
};

Linear linear(const LinearShape& shape) {
  return {.weight_OI = meta({shape.rows, shape.columns}), .bias_O = shape.has_bias ? meta({shape.rows}) : at::Tensor()};
}

GroupedQueryAttention gqa(const ModelConfig& config) {
  const std::int64_t q_rows = config.num_attention_heads * config.head_dim;
  const std::int64_t kv_rows = config.num_key_value_heads * config.head_dim;
  const bool bias = config.attention_bias;
  return {.q = linear({q_rows, config.hidden_size, bias}),
          .k = linear({kv_rows, config.hidden_size, bias}),
          .v = linear({kv_rows, config.hidden_size, bias}),
          .o = linear({config.hidden_size, q_rows, config.attention_output_bias}),
          .q_norm_K = config.qk_norm ? meta({config.head_dim}) : at::Tensor(),
          .k_norm_K = config.qk_norm ? meta({config.head_dim}) : at::Tensor()};
}

// Of MLA only q_a (q if it is not factored), kv_a and o have biases: those of k_nope change no probability and those of
// v fold into o's.
LatentAttention mla(const ModelConfig& config, const AttentionConfig& sizes) {
  const std::int64_t heads = config.num_attention_heads;
  const std::int64_t q_rows = heads * (sizes.qk_nope_head_dim + sizes.qk_rope_head_dim);
  const std::int64_t kv_b_rows = heads * (sizes.qk_nope_head_dim + sizes.v_head_dim);
  const bool bias = config.attention_bias;
  LatentAttention attention{
      .q_a = {},
      .q_a_norm_Q = {},
      .q = linear({q_rows, config.hidden_size, bias && sizes.query_bias}),
      .kv_a = linear({sizes.kv_lora_rank + sizes.qk_rope_head_dim, config.hidden_size, bias}),
      .kv_a_norm_R = sizes.latent_norm ? meta({sizes.kv_lora_rank}) : at::Tensor(),
      .kv_b = linear({kv_b_rows, sizes.kv_lora_rank, false}),
      .o = linear({config.hidden_size, heads * sizes.v_head_dim, config.attention_output_bias || sizes.output_bias})};
  if (sizes.q_lora_rank > 0) {
    attention.q_a = linear({sizes.q_lora_rank, config.hidden_size, bias});
    attention.q_a_norm_Q = meta({sizes.q_lora_rank});
    attention.q = linear({q_rows, sizes.q_lora_rank, false});
  }
  return attention;
}

DenseFeedForward dense(std::int64_t hidden, std::int64_t width, bool bias) {
  return {.gate = linear({width, hidden, bias}),
          .up = linear({width, hidden, bias}),
          .down = linear({hidden, width, bias})};
}

MoeFeedForward moe(const ModelConfig& config, const FeedForwardConfig& sizes) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t experts = sizes.num_experts;
  const bool bias = sizes.expert_bias;
  MoeFeedForward result{.router_ED = meta({experts, hidden}),
                        .router_bias_E = bias ? meta({experts}) : at::Tensor(),
                        .correction_bias_E = sizes.router == RouterKind::Sigmoid ? meta({experts}) : at::Tensor(),
                        .experts_gate_up_E2FD = meta({experts, 2 * sizes.moe_intermediate_size, hidden}),
                        .experts_down_EDF = meta({experts, hidden, sizes.moe_intermediate_size}),
                        .experts_down_bias_ED = bias ? meta({experts, hidden}) : at::Tensor(),
                        .shared = {},
                        .shared_gate_1D = sizes.shared_expert_gate ? meta({1, hidden}) : at::Tensor()};
  if (sizes.shared_expert_intermediate_size > 0) {
    const std::int64_t width = sizes.shared_expert_intermediate_size;
    result.shared = dense(hidden, width, /*bias=*/false);
    result.shared.down = linear({hidden, width, bias});
  }
  return result;
}

Layer layer(const ModelConfig& config, const LayerConfig& kinds) {
  Layer made{.config = kinds,
             .attention_norm_D = meta({config.hidden_size}),
             .attention = gqa(config),
             .feed_forward_norm_D = meta({config.hidden_size}),
             .feed_forward = dense(config.hidden_size, config.intermediate_size, config.mlp_bias)};
  if (kinds.attention.kind == AttentionKind::Mla) made.attention = mla(config, kinds.attention);
  if (kinds.feed_forward.kind == FeedForwardKind::Moe) made.feed_forward = moe(config, kinds.feed_forward);
  return made;
}

}  // namespace

Model model_skeleton(const ModelConfig& config) {
  Model model;
  model.config = config;
  model.embed_VD = meta({config.vocab_size, config.hidden_size});
  for (const LayerConfig& kinds : config.layers)
    model.layers.push_back(std::make_shared<const Layer>(layer(config, kinds)));
  model.norm_D = meta({config.hidden_size});
  model.lm_head_VD = config.tie_word_embeddings ? model.embed_VD : meta({config.vocab_size, config.hidden_size});
  return model;
}

}  // namespace lathe
