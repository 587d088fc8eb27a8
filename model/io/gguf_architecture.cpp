#include "model/io/gguf_architecture.h"

#include <algorithm>
#include <cmath>

namespace lathe {

namespace {

/// Says why llama.cpp does not compute this model, as soon as one reason is found.
class Fit {
 public:
  explicit Fit(const ModelConfig& config) : config_(config) {}

  GgufFit find() {
    const auto is_mla = [](const LayerConfig& layer) { return layer.attention.kind == AttentionKind::Mla; };
    const bool mla = std::ranges::all_of(config_.layers, is_mla);
    if (!mla && std::ranges::any_of(config_.layers, is_mla)) {
      refuse("some layers have MLA and some GQA", "one kind of attention in all layers");
    }
    const auto is_split = [](const LayerConfig& layer) {
      return layer.feed_forward.unit_weights || layer.feed_forward.expert_bias;
    };
    if (std::ranges::any_of(config_.layers, is_split)) refuse("experts that count whole or have biases", "neither");
    if (config_.qk_norm) refuse("queries and keys are normalised", "no q_norm and k_norm");
    if (mla) {
      fit_deepseek2();
    } else {
      fit_gqa();
    }
    return fit_;
  }

 private:
  /// Reads no further than the first reason: later ones may follow from it.
  void refuse(std::string got, std::string expected) {
    if (fit_.refusal) return;
    fit_.refusal = ErrorParts{.code = ErrorCode::Export,
                              .what = "llama.cpp has no architecture that computes this model",
                              .where = "the model",
                              .got = std::move(got),
                              .expected = std::move(expected),
                              .hint = "export a Hugging Face folder, which holds every model of Lathe"};
  }

  const FeedForwardConfig& last_feed_forward() const { return config_.layers.back().feed_forward; }

  void fit_gqa() {
    for (const LayerConfig& layer : config_.layers) {
      if (layer.attention.sliding_window != 0) refuse("a sliding window", "attention to all tokens before");
      if (layer.feed_forward != last_feed_forward()) refuse("layers with different feed-forwards", "one kind in all");
    }
    const bool is_moe = last_feed_forward().kind == FeedForwardKind::Moe;
    const bool qwen_biases = config_.attention_bias && !config_.attention_output_bias;
    if (config_.attention_output_bias && !config_.attention_bias) refuse("a bias on o alone", "biases on q, k and v");
    if (is_moe) {
      fit_experts(qwen_biases);
    } else if (qwen_biases) {
      fit_.architecture = GgufArchitecture::Qwen2;
    }
    if (config_.mlp_bias && (is_moe || qwen_biases)) refuse("biases in the MLP", "none");
    fit_rope();
  }

  void fit_experts(bool qwen_biases) {
    const FeedForwardConfig& moe = last_feed_forward();
    if (moe.router != RouterKind::Softmax || moe.n_group != 1 || moe.routed_scaling_factor != 1.0) {
      refuse("a router of DeepSeek-V3 beside GQA", "a softmax over all experts, its weights unscaled");
    }
    if (moe.shared_expert_intermediate_size == 0) {
      if (config_.attention_bias) refuse("experts beside biases", "no biases");
      if (!moe.norm_topk_prob) refuse("weights that are not renormalised", "norm_topk_prob, as Mixtral has");
      return;
    }
    fit_.architecture = GgufArchitecture::Qwen2Moe;
    if (!moe.shared_expert_gate) refuse("a shared expert without a gate", "a gate, as Qwen2Moe has");
    if (moe.norm_topk_prob) refuse("renormalised weights beside a shared expert", "norm_topk_prob false");
    if (config_.attention_bias && !qwen_biases) refuse("a bias on o", "biases on q, k and v alone");
  }

  void fit_rope() {
    const RopeScaling& rope = config_.rope_scaling;
    if (rope.kind == RopeScalingKind::Llama3 && fit_.architecture != GgufArchitecture::Llama) {
      refuse("Llama 3's scaling of RoPE", "none, linear or YaRN: the llama architecture alone reads rope_freqs");
    }
    if (rope.kind != RopeScalingKind::Yarn) return;
    const double plain = 0.1 * std::log(rope.factor) + 1.0;
    const bool same_mscale = fit_.architecture == GgufArchitecture::Deepseek2 && rope.attention_factor == 1.0;
    const bool is_plain = std::abs(rope.attention_factor - plain) < 1e-6 && rope.score_factor == 1.0;
    if (!rope.truncate || (!same_mscale && !is_plain)) {
      refuse("YaRN with factors of its own", "the attention factor 0.1 ln(factor) + 1 and whole pairs");
    }
  }

  void fit_deepseek2() {
    fit_.architecture = GgufArchitecture::Deepseek2;
    const AttentionConfig& mla = config_.layers.front().attention;
    for (const LayerConfig& layer : config_.layers) {
      if (layer.attention != mla) refuse("layers of different latent sizes", "the same sizes in all layers");
    }
    for (std::size_t i = 0; i < mla.rope_pairs.size(); ++i) {
      const bool follows = mla.rope_pairs[i] == static_cast<std::int64_t>(i);
      if (!follows || config_.head_dim != mla.qk_rope_head_dim) {
        refuse("rotary pairs chosen from a larger head", "frequencies of a head of qk_rope_head_dim");
      }
    }
    if (!mla.latent_norm) refuse("latents that are not normalised", "kv_a_layernorm, trained with the model");
    if (mla.output_bias) refuse("a bias on o", "none");
    if (mla.qk_rope_head_dim == 0 || mla.qk_nope_head_dim == 0)
      refuse("heads of one part", "a rotated and a plain part");
    if (config_.attention_bias || config_.mlp_bias) refuse("biases", "none");
    fit_query_rank(mla.q_lora_rank);
    fit_deepseek_experts();
    fit_rope();
  }

  // llama.cpp tells DeepSeek-V2-Lite and its kin, which have no q_lora_rank, by their number of layers.
  void fit_query_rank(std::int64_t rank) {
    const std::int64_t layers = config_.num_layers();
    const bool is_lite = layers == 26 || layers == 27 || (layers == 48 && config_.vocab_size == 128256);
    if (rank == 0 && !is_lite) {
      refuse(text("queries without q_lora_rank in ", layers, " layers"), "a q_lora_rank, or 26 or 27 layers");
    }
    if (rank != 0 && is_lite)
      refuse(text("a q_lora_rank in ", layers, " layers"), "none, or other than 26 or 27 layers");
  }

  void fit_deepseek_experts() {
    const FeedForwardConfig& moe = last_feed_forward();
    bool seen = false;
    for (const LayerConfig& layer : config_.layers) {
      const bool is_moe = layer.feed_forward.kind == FeedForwardKind::Moe;
      if (seen && !is_moe) refuse("dense layers after layers with experts", "dense layers first");
      if (is_moe && layer.feed_forward != moe) refuse("layers with different experts", "the same in all layers");
      seen = seen || is_moe;
    }
    if (!seen) return;
    const std::int64_t shared = moe.shared_expert_intermediate_size;
    if (shared == 0 || shared % moe.moe_intermediate_size != 0 || moe.shared_expert_gate) {
      refuse(text("a shared expert of width ", shared, moe.shared_expert_gate ? " with a gate" : ""),
             text("one without a gate, of a multiple of ", moe.moe_intermediate_size));
    }
    if (moe.n_group > 1 && moe.router == RouterKind::Softmax) refuse("groups of experts under a softmax", "no groups");
  }

  const ModelConfig& config_;
  GgufFit fit_;
};

/// Collects the fields under the architecture's prefix.
class Fields {
 public:
  explicit Fields(std::string prefix) : prefix_(std::move(prefix)) {}

  void put(const std::string& key, std::int64_t value) {
    fields_.emplace_back(prefix_ + "." + key, static_cast<std::uint32_t>(value));
  }
  void put(const std::string& key, double value) {
    fields_.emplace_back(prefix_ + "." + key, static_cast<float>(value));
  }
  void put(const std::string& key, const std::string& value) { fields_.emplace_back(prefix_ + "." + key, value); }
  void put_flag(const std::string& key, bool value) { fields_.emplace_back(prefix_ + "." + key, value); }

  GgufFields take() { return std::move(fields_); }

 private:
  std::string prefix_;
  GgufFields fields_;
};

void put_rope(const ModelConfig& config, Fields& fields) {
  const RopeScaling& rope = config.rope_scaling;
  fields.put("rope.freq_base", config.rope_theta);
  if (rope.kind == RopeScalingKind::Llama3) {
    fields.put("rope.scaling.original_context_length", rope.original_max_position_embeddings);
  }
  if (rope.kind == RopeScalingKind::Linear || rope.kind == RopeScalingKind::Yarn) {
    fields.put("rope.scaling.type", std::string(rope.kind == RopeScalingKind::Linear ? "linear" : "yarn"));
    fields.put("rope.scaling.factor", rope.factor);
  }
  if (rope.kind != RopeScalingKind::Yarn) return;
  fields.put("rope.scaling.original_context_length", rope.original_max_position_embeddings);
  fields.put("rope.scaling.yarn_beta_fast", rope.beta_fast);
  fields.put("rope.scaling.yarn_beta_slow", rope.beta_slow);
  const double mscale = (std::sqrt(rope.score_factor) - 1.0) / std::log(rope.factor);  // a tenth of mscale_all_dim
  if (rope.score_factor != 1.0) fields.put("rope.scaling.yarn_log_multiplier", mscale);
}

void put_experts(const FeedForwardConfig& moe, Fields& fields) {
  fields.put("expert_count", moe.num_experts);
  fields.put("expert_used_count", moe.num_experts_per_tok);
}

void put_latent_attention(const ModelConfig& config, Fields& fields) {
  const AttentionConfig& mla = config.layers.front().attention;
  fields.put("attention.head_count_kv", std::int64_t{1});  // llama.cpp runs it as attention over the latent cache
  fields.put("attention.key_length", mla.kv_lora_rank + mla.qk_rope_head_dim);
  fields.put("attention.value_length", mla.kv_lora_rank);
  fields.put("attention.key_length_mla", mla.qk_nope_head_dim + mla.qk_rope_head_dim);
  fields.put("attention.value_length_mla", mla.v_head_dim);
  fields.put("attention.kv_lora_rank", mla.kv_lora_rank);
  if (mla.q_lora_rank > 0) fields.put("attention.q_lora_rank", mla.q_lora_rank);
  fields.put("rope.dimension_count", mla.qk_rope_head_dim);
}

void put_deepseek_experts(const ModelConfig& config, Fields& fields) {
  constexpr std::int64_t kSoftmax = 1, kSigmoid = 2;
  const FeedForwardConfig& moe = config.layers.back().feed_forward;
  const bool is_moe = moe.kind == FeedForwardKind::Moe;
  fields.put("leading_dense_block_count", std::ranges::count_if(config.layers, [](const LayerConfig& layer) {
               return layer.feed_forward.kind == FeedForwardKind::Dense;
             }));
  fields.put("expert_feed_forward_length", is_moe ? moe.moe_intermediate_size : config.intermediate_size);
  fields.put("expert_shared_count", is_moe ? moe.shared_expert_intermediate_size / moe.moe_intermediate_size : 0);
  if (!is_moe) return;
  put_experts(moe, fields);
  fields.put("expert_weights_scale", moe.routed_scaling_factor);
  fields.put_flag("expert_weights_norm", moe.norm_topk_prob);
  fields.put("expert_gating_func", moe.router == RouterKind::Sigmoid ? kSigmoid : kSoftmax);
  if (moe.n_group == 1) return;
  fields.put("expert_group_count", moe.n_group);
  fields.put("expert_group_used_count", moe.topk_group);
}

}  // namespace

GgufFit fit_gguf(const ModelConfig& config) { return Fit(config).find(); }

std::string gguf_architecture_name(GgufArchitecture architecture) {
  switch (architecture) {
    case GgufArchitecture::Llama:
      return "llama";
    case GgufArchitecture::Qwen2:
      return "qwen2";
    case GgufArchitecture::Qwen2Moe:
      return "qwen2moe";
    case GgufArchitecture::Deepseek2:
      return "deepseek2";
  }
  return "";
}

GgufFields gguf_network_fields(GgufArchitecture architecture, const ModelConfig& config) {
  Fields fields(gguf_architecture_name(architecture));
  const FeedForwardConfig& moe = config.layers.back().feed_forward;
  const bool is_moe = moe.kind == FeedForwardKind::Moe;
  const bool experts_alone = is_moe && architecture == GgufArchitecture::Llama;
  fields.put("block_count", config.num_layers());
  fields.put("context_length", config.max_position_embeddings);
  fields.put("embedding_length", config.hidden_size);
  fields.put("feed_forward_length", experts_alone ? moe.moe_intermediate_size : config.intermediate_size);
  fields.put("attention.head_count", config.num_attention_heads);
  fields.put("attention.layer_norm_rms_epsilon", config.rms_norm_eps);
  fields.put("vocab_size", config.vocab_size);
  put_rope(config, fields);
  if (architecture == GgufArchitecture::Deepseek2) {
    put_latent_attention(config, fields);
    put_deepseek_experts(config, fields);
    return fields.take();
  }
  fields.put("attention.head_count_kv", config.num_key_value_heads);
  fields.put("attention.key_length", config.head_dim);
  fields.put("attention.value_length", config.head_dim);
  fields.put("rope.dimension_count", config.head_dim);
  if (is_moe) put_experts(moe, fields);
  if (architecture == GgufArchitecture::Qwen2Moe) {
    fields.put("expert_feed_forward_length", moe.moe_intermediate_size);
    fields.put("expert_shared_feed_forward_length", moe.shared_expert_intermediate_size);
  }
  return fields.take();
}

}  // namespace lathe
