#include "model/data/stock_classes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "model/data/error.h"

namespace lathe {
namespace {

bool is_moe(const LayerConfig& layer) { return layer.feed_forward.kind == FeedForwardKind::Moe; }

/// The first layer of which `holds` is not true, as a Misfit.
template <typename Holds>
std::optional<Misfit> unless_all(const ModelConfig& config, const Holds& holds, std::string got, std::string expected) {
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    if (!holds(config.layers[i])) return Misfit{text("layer ", i), std::move(got), std::move(expected)};
  }
  return std::nullopt;
}

std::optional<Misfit> unless(bool holds, const char* got, const char* expected) {
  if (holds) return std::nullopt;
  return Misfit{"the model", got, expected};
}

/// The first of the misfits that there is.
std::optional<Misfit> first_of(std::initializer_list<std::optional<Misfit>> misfits) {
  for (const std::optional<Misfit>& misfit : misfits) {
    if (misfit) return misfit;
  }
  return std::nullopt;
}

std::optional<Misfit> not_gqa(const ModelConfig& config) {
  return first_of({unless_all(
                       config, [](const LayerConfig& layer) { return layer.attention.kind == AttentionKind::Gqa; },
                       "MLA", "grouped-query attention"),
                   unless(!config.qk_norm, "norms of queries and keys (qk_norm)", "none")});
}

std::optional<Misfit> windows(const ModelConfig& config) {
  return unless_all(
      config, [](const LayerConfig& layer) { return layer.attention.sliding_window == 0; }, "a sliding window",
      "full attention");
}

const FeedForwardConfig* first_moe(const ModelConfig& config) {
  const auto found = std::ranges::find_if(config.layers, is_moe);
  return found == config.layers.end() ? nullptr : &found->feed_forward;
}

std::int64_t largest_shared(const ModelConfig& config) {
  std::int64_t largest = 0;
  for (const LayerConfig& layer : config.layers) {
    largest = std::max(largest, layer.feed_forward.shared_expert_intermediate_size);
  }
  return largest;
}

/// All layers with experts have the same experts and router, but for the shared expert.
std::optional<Misfit> uneven_experts(const ModelConfig& config) {
  const FeedForwardConfig* first = first_moe(config);
  if (first == nullptr) return std::nullopt;
  const auto alike = [first](const LayerConfig& layer) {
    FeedForwardConfig moe = layer.feed_forward;
    moe.shared_expert_intermediate_size = first->shared_expert_intermediate_size;
    moe.shared_expert_gate = first->shared_expert_gate;
    return !is_moe(layer) || moe == *first;
  };
  return unless_all(config, alike, "experts or a router of other sizes or kind than the first such layer's",
                    "the same in all layers");
}

std::optional<Misfit> not_softmax(const ModelConfig& config) {
  return first_of(
      {unless_all(
           config, [](const LayerConfig& layer) { return layer.feed_forward.router == RouterKind::Softmax; },
           "a sigmoid router", "a softmax router"),
       unless_all(
           config, [](const LayerConfig& layer) { return layer.feed_forward.routed_scaling_factor == 1.0; },
           "a routed_scaling_factor", "none"),
       unless_all(
           config, [](const LayerConfig& layer) { return layer.feed_forward.n_group == 1; }, "groups of experts",
           "one group")});
}

std::optional<Misfit> llama_misfit(const ModelConfig& config) {
  return first_of({not_gqa(config), windows(config),
                   unless_all(
                       config, [](const LayerConfig& layer) { return !is_moe(layer); }, "experts", "a dense MLP"),
                   unless(config.attention_bias == config.attention_output_bias, "biases on q, k and v only",
                          "biases on all projections or on none")});
}

std::optional<Misfit> mixtral_misfit(const ModelConfig& config) {
  const std::int64_t window = config.layers.empty() ? 0 : config.layers.front().attention.sliding_window;
  return first_of(
      {not_gqa(config), unless_all(config, is_moe, "a dense MLP", "experts"), uneven_experts(config),
       not_softmax(config),
       unless_all(
           config, [](const LayerConfig& layer) { return layer.feed_forward.norm_topk_prob; },
           "weights that are not renormalised", "norm_topk_prob"),
       unless_all(
           config, [](const LayerConfig& layer) { return layer.feed_forward.shared_expert_intermediate_size == 0; },
           "a shared expert", "routed experts only"),
       unless_all(
           config, [window](const LayerConfig& layer) { return layer.attention.sliding_window == window; },
           "another sliding window than layer 0", "one window for all"),
       unless(!config.attention_bias && !config.attention_output_bias, "attention biases", "none")});
}

std::optional<Misfit> qwen2_moe_misfit(const ModelConfig& config) {
  return first_of(
      {not_gqa(config), windows(config), unless(first_moe(config) != nullptr, "no layer with experts", "at least one"),
       uneven_experts(config), not_softmax(config), unless(!config.attention_output_bias, "a bias on o_proj", "none"),
       unless(!config.mlp_bias, "biases in the MLP", "none")});
}

/// Whether the pairs turn with the frequencies that a RoPE of qk_rope_head_dim dims has by itself.
bool has_own_frequencies(const ModelConfig& config, const AttentionConfig& mla) {
  if (mla.qk_rope_head_dim == 0 || config.head_dim % mla.qk_rope_head_dim != 0) return false;
  const std::int64_t stride = config.head_dim / mla.qk_rope_head_dim;
  for (std::size_t i = 0; i < mla.rope_pairs.size(); ++i) {
    if (mla.rope_pairs[i] != static_cast<std::int64_t>(i) * stride) return false;
  }
  return true;
}

std::optional<Misfit> mla_misfit(const ModelConfig& config) {
  const AttentionConfig first = config.layers.empty() ? AttentionConfig{} : config.layers.front().attention;
  const bool biased = config.attention_bias;
  return first_of({unless_all(
                       config, [](const LayerConfig& layer) { return layer.attention.kind == AttentionKind::Mla; },
                       "grouped-query attention", "MLA in every layer"),
                   unless_all(
                       config, [&](const LayerConfig& layer) { return layer.attention == first; },
                       "MLA of other sizes than layer 0", "one size for all"),
                   unless(first.qk_nope_head_dim > 0, "no part of the heads without RoPE", "qk_nope_head_dim above 0"),
                   unless(has_own_frequencies(config, first),
                          "RoPE frequencies that several heads share or that are not evenly spaced",
                          "every n-th frequency of a head"),
                   unless(!biased || first.q_lora_rank > 0 || !first.query_bias, "a bias on q_proj", "no bias on unfactored queries"),
                   unless(!config.mlp_bias, "biases in the MLP", "none")});
}

/// What the router of DeepSeek-V3 has, and how the shared expert is made to fit.
std::optional<Misfit> not_deepseek_experts(const ModelConfig& config) {
  return first_of(
      {uneven_experts(config),
       unless_all(
           config,
           [](const LayerConfig& layer) { return !is_moe(layer) || layer.feed_forward.router == RouterKind::Sigmoid; },
           "a softmax router", "a sigmoid router"),
       unless_all(
           config, [](const LayerConfig& layer) { return !layer.feed_forward.shared_expert_gate; },
           "a gate on the shared expert", "none")});
}

std::optional<Misfit> deepseek_v3_misfit(const ModelConfig& config) {
  bool dense_after_moe = false;
  for (std::size_t i = 1; i < config.layers.size(); ++i) {
    dense_after_moe = dense_after_moe || (is_moe(config.layers[i - 1]) && !is_moe(config.layers[i]));
  }
  return first_of(
      {mla_misfit(config), not_deepseek_experts(config),
       unless(!dense_after_moe, "a dense MLP after a layer with experts", "dense layers first, then experts")});
}

std::optional<Misfit> glm4_moe_lite_misfit(const ModelConfig& config) {
  return first_of({mla_misfit(config), not_deepseek_experts(config)});
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
               {"attention_bias", constant || config.attention_bias || config.attention_output_bias},
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

constexpr std::array<StockClass, 5> kClasses{
    {{"llama", "Llama (stock transformers)", "Everything that opens Llama opens it: transformers, vLLM, llama.cpp.",
      llama_misfit, llama_config},
     {"mixtral", "Mixtral (stock transformers)", "For models whose every layer has experts.", mixtral_misfit,
      mixtral_config},
     {"qwen2-moe", "Qwen2Moe (stock transformers)", "For models of which some or all layers have experts.",
      qwen2_moe_misfit, qwen2_moe_config},
     {"deepseek-v3", "DeepSeek-V3 (stock transformers)",
      "For models whose every layer is MLA; dense layers come first.", deepseek_v3_misfit, deepseek_v3_config},
     {"glm4-moe-lite", "Glm4MoeLite (stock transformers 5)",
      "For models whose every layer is MLA, with experts in any of them.", glm4_moe_lite_misfit,
      glm4_moe_lite_config}}};

}  // namespace

std::span<const StockClass> stock_classes() { return kClasses; }

const StockClass& stock_class(std::string_view name) {
  const auto* found = std::ranges::find(kClasses, name, &StockClass::name);
  if (found != kClasses.end()) return *found;
  std::string names = "hf";
  for (const StockClass& one : kClasses) names += text(", ", one.name);
  names += " or one of the GGUF forms";
  throw Error({.code = ErrorCode::Export,
               .what = "there is no such form to export to",
               .where = "--to",
               .got = text("\"", name, "\""),
               .expected = names,
               .hint = "lathe export MODEL --list says which fit the model"});
}

std::vector<ExportTarget> export_targets(const ModelConfig& config) {
  std::vector<ExportTarget> targets{
      {"hf", "Hugging Face folder",
       "Lathe's own form: takes every model; transformers loads it with trust_remote_code."}};
  std::string nearest = "hf, which takes every model";
  for (const StockClass& one : kClasses) {
    if (!one.misfit(config)) {
      nearest = text(one.name, ", which fits");
      break;
    }
  }
  for (const StockClass& one : kClasses) {
    ExportTarget target{std::string(one.name), std::string(one.title), std::string(one.about)};
    if (const auto misfit = one.misfit(config)) {
      target.refusal = ErrorParts{.code = ErrorCode::Export,
                                  .what = text("the model is not exactly a ", one.title),
                                  .where = misfit->where,
                                  .got = misfit->got,
                                  .expected = misfit->expected,
                                  .hint = text("export to ", nearest)};
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

bool needs_constant_channel(const ModelConfig& config) { return !config.layers.front().attention.latent_norm; }

}  // namespace lathe
