#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "model/data/stock_fit.h"

namespace lathe {
namespace {

std::int64_t largest_shared(const ModelConfig& config) {
  std::int64_t largest = 0;
  for (const LayerConfig& layer : config.layers) {
    largest = std::max(largest, layer.feed_forward.shared_expert_intermediate_size);
  }
  return largest;
}

nlohmann::json rope_parameters(const ModelConfig& config) {
  const RopeScaling& scaling = config.rope_scaling;
  nlohmann::json rope{{"rope_theta", config.rope_theta}, {"rope_type", "default"}};
  if (scaling.kind == RopeScalingKind::None) return rope;
  rope["factor"] = scaling.factor;
  if (scaling.kind == RopeScalingKind::Linear) {
    rope["rope_type"] = "linear";
    return rope;
  }
  rope["original_max_position_embeddings"] = scaling.original_max_position_embeddings;
  if (scaling.kind == RopeScalingKind::Llama3) {
    rope.update({{"rope_type", "llama3"},
                 {"low_freq_factor", scaling.low_freq_factor},
                 {"high_freq_factor", scaling.high_freq_factor}});
    return rope;
  }
  rope.update({{"rope_type", "yarn"},
               {"beta_fast", scaling.beta_fast},
               {"beta_slow", scaling.beta_slow},
               {"truncate", scaling.truncate},
               {"attention_factor", scaling.attention_factor}});
  // score_factor = (0.1 m ln(factor) + 1)^2, solved for m.
  if (scaling.score_factor != 1.0) {
    rope["mscale_all_dim"] = (std::sqrt(scaling.score_factor) - 1.0) / (0.1 * std::log(scaling.factor));
  }
  return rope;
}

/// What all classes share; transformers 4 reads rope_theta and rope_scaling, 5 rope_parameters.
nlohmann::json common_config(const ModelConfig& config, const char* model_type, const char* architecture) {
  const nlohmann::json rope = rope_parameters(config);
  nlohmann::json eos = config.eos_token_ids;
  if (config.eos_token_ids.size() == 1) eos = config.eos_token_ids.front();
  if (config.eos_token_ids.empty()) eos = nullptr;
  return {{"model_type", model_type},
          {"architectures", {architecture}},
          {"vocab_size", config.vocab_size},
          {"hidden_size", config.hidden_size},
          {"intermediate_size", config.intermediate_size},
          {"num_hidden_layers", config.num_layers()},
          {"num_attention_heads", config.num_attention_heads},
          {"num_key_value_heads", config.num_key_value_heads},
          {"hidden_act", "silu"},
          {"max_position_embeddings", config.max_position_embeddings},
          {"rms_norm_eps", config.rms_norm_eps},
          {"rope_theta", config.rope_theta},
          {"rope_scaling", config.rope_scaling.kind == RopeScalingKind::None ? nlohmann::json() : rope},
          {"rope_parameters", rope},
          {"tie_word_embeddings", config.tie_word_embeddings},
          {"bos_token_id", config.bos_token_id ? nlohmann::json(*config.bos_token_id) : nlohmann::json()},
          {"eos_token_id", eos}};
}

nlohmann::json deepseek_config(const ModelConfig& config, const char* model_type, const char* architecture) {
  const AttentionConfig& mla = config.layers.front().attention;
  const FeedForwardConfig* experts = first_moe(config);
  // A model without experts still has to name them; no layer makes any.
  const FeedForwardConfig moe =
      experts != nullptr ? *experts
                         : FeedForwardConfig{.num_experts = 2, .num_experts_per_tok = 1, .moe_intermediate_size = 8};
  const bool constant = needs_constant_channel(config);
  const std::int64_t shared =
      std::max<std::int64_t>((largest_shared(config) + moe.moe_intermediate_size - 1) / moe.moe_intermediate_size, 1);
  nlohmann::json json = common_config(config, model_type, architecture);
  json.update({{"num_key_value_heads", config.num_attention_heads},
               {"kv_lora_rank", mla.kv_lora_rank + (constant ? 1 : 0)},
               {"q_lora_rank", mla.q_lora_rank == 0 ? nlohmann::json() : nlohmann::json(mla.q_lora_rank)},
               {"qk_nope_head_dim", mla.qk_nope_head_dim},
               {"qk_rope_head_dim", mla.qk_rope_head_dim},
               {"v_head_dim", mla.v_head_dim},
               {"rope_interleave", true},
               {"attention_bias", constant || config.attention_bias || config.attention_output_bias || mla.output_bias},
               {"n_routed_experts", moe.num_experts},
               {"n_shared_experts", shared},
               {"num_experts_per_tok", moe.num_experts_per_tok},
               {"moe_intermediate_size", moe.moe_intermediate_size},
               {"n_group", moe.n_group},
               {"topk_group", moe.topk_group},
               {"norm_topk_prob", moe.norm_topk_prob},
               {"routed_scaling_factor", moe.routed_scaling_factor}});
  return json;
}

}  // namespace

nlohmann::json llama_config(const ModelConfig& config) {
  nlohmann::json json = common_config(config, "llama", "LlamaForCausalLM");
  json.update(
      {{"head_dim", config.head_dim}, {"attention_bias", config.attention_bias}, {"mlp_bias", config.mlp_bias}});
  return json;
}

nlohmann::json mixtral_config(const ModelConfig& config) {
  const FeedForwardConfig& moe = *first_moe(config);
  const std::int64_t window = config.layers.front().attention.sliding_window;
  nlohmann::json json = common_config(config, "mixtral", "MixtralForCausalLM");
  json.update({{"head_dim", config.head_dim},
               {"intermediate_size", moe.moe_intermediate_size},
               {"num_local_experts", moe.num_experts},
               {"num_experts_per_tok", moe.num_experts_per_tok},
               {"sliding_window", window == 0 ? nlohmann::json() : nlohmann::json(window)}});
  return json;
}

nlohmann::json qwen2_moe_config(const ModelConfig& config) {
  const FeedForwardConfig& moe = *first_moe(config);
  nlohmann::json dense = nlohmann::json::array();
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    if (!is_moe(config.layers[i])) dense.push_back(i);
  }
  nlohmann::json json = common_config(config, "qwen2_moe", "Qwen2MoeForCausalLM");
  json.update({{"head_dim", config.head_dim},
               {"num_experts", moe.num_experts},
               {"num_experts_per_tok", moe.num_experts_per_tok},
               {"moe_intermediate_size", moe.moe_intermediate_size},
               {"shared_expert_intermediate_size", std::max(largest_shared(config), kZeroSharedExpertSize)},
               {"norm_topk_prob", moe.norm_topk_prob},
               {"decoder_sparse_step", 1},
               {"mlp_only_layers", dense},
               {"qkv_bias", true},
               {"use_sliding_window", false}});
  return json;
}

nlohmann::json deepseek_v3_config(const ModelConfig& config) {
  nlohmann::json json = deepseek_config(config, "deepseek_v3", "DeepseekV3ForCausalLM");
  json["first_k_dense_replace"] = std::ranges::find_if(config.layers, is_moe) - config.layers.begin();
  json["moe_layer_freq"] = 1;
  return json;
}

nlohmann::json glm4_moe_lite_config(const ModelConfig& config) {
  nlohmann::json json = deepseek_config(config, "glm4_moe_lite", "Glm4MoeLiteForCausalLM");
  for (const LayerConfig& layer : config.layers) json["mlp_layer_types"].push_back(is_moe(layer) ? "sparse" : "dense");
  return json;
}

}  // namespace lathe
