#include "model/data/config.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "model/data/config_families.h"
#include "model/data/error.h"
#include "model/data/json_object.h"
#include "model/data/layer_config_json.h"

namespace lathe {
namespace {

constexpr std::int64_t kMostLayers = 4096;
constexpr double kMostParams = 1e15;

// 0.1 m ln(factor) + 1, by which YaRN sharpens attention.
double yarn_mscale(double factor, double m) { return factor <= 1 ? 1.0 : 0.1 * m * std::log(factor) + 1.0; }

/// Source: Hugging Face modeling_rope_utils, _compute_yarn_parameters, and modeling_deepseek_v3, yarn_apply_mscale.
RopeScaling yarn(JsonObject& json, const ModelConfig& config, bool is_mla) {
  RopeScaling scaling{.kind = RopeScalingKind::Yarn};
  scaling.original_max_position_embeddings =
      size_from_json(json, "original_max_position_embeddings", config.max_position_embeddings);
  scaling.factor = json.number("factor", static_cast<double>(config.max_position_embeddings) /
                                             static_cast<double>(scaling.original_max_position_embeddings));
  scaling.beta_fast = json.number("beta_fast", 32.0);
  scaling.beta_slow = json.number("beta_slow", 1.0);
  scaling.truncate = json.boolean("truncate", true);
  json.expect(scaling.factor > 0, "\"factor\" cannot be", scaling.factor, "above 0");
  json.expect(scaling.beta_slow > 0 && scaling.beta_fast > scaling.beta_slow, "beta_slow and beta_fast cannot be",
              text(scaling.beta_slow, " and ", scaling.beta_fast), "0 < slow < fast");
  const double mscale = json.number("mscale", 0.0);
  const double mscale_all = json.number("mscale_all_dim", 0.0);
  const double plain = mscale != 0 && mscale_all != 0
                           ? yarn_mscale(scaling.factor, mscale) / yarn_mscale(scaling.factor, mscale_all)
                           : yarn_mscale(scaling.factor, 1.0);
  scaling.attention_factor = json.number("attention_factor", plain);
  const double score = is_mla && mscale_all != 0 ? yarn_mscale(scaling.factor, mscale_all) : 1.0;
  scaling.score_factor = json.number("score_factor", score * score);
  json.expect(std::isfinite(scaling.attention_factor) && std::isfinite(scaling.score_factor),
              "\"mscale\" and \"mscale_all_dim\" cannot be", text(mscale, " and ", mscale_all),
              "numbers that sharpen attention by a finite factor");
  return scaling;
}

RopeScaling rope_scaling(JsonObject json, const ModelConfig& config, bool is_mla) {
  const std::string type = json.string("rope_type", json.string("type", "default"));
  const double partial = json.number("partial_rotary_factor", 1.0);
  json.expect(partial == 1.0, "\"partial_rotary_factor\" is not supported", partial, "1: Lathe rotates whole heads");
  if (type == "default") return {};
  if (type == "yarn") return yarn(json, config, is_mla);
  RopeScaling scaling{.factor = json.number("factor")};
  json.expect(scaling.factor > 0, "\"factor\" cannot be", scaling.factor, "above 0");
  if (type == "linear") {
    scaling.kind = RopeScalingKind::Linear;
    return scaling;
  }
  json.expect(type == "llama3", "this scaling of RoPE is not supported", text("\"", type, "\""),
              "default, linear, llama3 or yarn");
  scaling.kind = RopeScalingKind::Llama3;
  scaling.low_freq_factor = json.number("low_freq_factor");
  scaling.high_freq_factor = json.number("high_freq_factor");
  scaling.original_max_position_embeddings =
      size_from_json(json, "original_max_position_embeddings", config.max_position_embeddings);
  json.expect(scaling.low_freq_factor > 0 && scaling.high_freq_factor > scaling.low_freq_factor,
              "low_freq_factor and high_freq_factor cannot be",
              text(scaling.low_freq_factor, " and ", scaling.high_freq_factor), "0 < low < high");
  return scaling;
}

// transformers 4 writes rope_theta and rope_scaling, transformers 5 one rope_parameters; both stay readable.
void read_rope(JsonObject& json, const ConfigFamily& family, ModelConfig& config) {
  const bool is_mla = json.has("qk_rope_head_dim");
  config.rope_theta = json.number("rope_theta", family.default_rope_theta);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!json.has(key)) continue;
    JsonObject rope = json.object(key);
    config.rope_theta = rope.number("rope_theta", config.rope_theta);
    config.rope_scaling = rope_scaling(rope, config, is_mla);
  }
  json.expect(config.rope_theta > 0, "\"rope_theta\" cannot be", config.rope_theta, "above 0");
}

void read_heads(JsonObject& json, ModelConfig& config) {
  config.num_attention_heads = size_from_json(json, "num_attention_heads");
  config.num_key_value_heads = size_from_json(json, "num_key_value_heads", config.num_attention_heads);
  json.expect(config.num_attention_heads % config.num_key_value_heads == 0,
              "num_attention_heads is not a multiple of num_key_value_heads",
              text(config.num_attention_heads, " and ", config.num_key_value_heads), "whole groups of heads");
  json.expect(
      json.has("head_dim") || json.has("qk_rope_head_dim") || config.hidden_size % config.num_attention_heads == 0,
      "hidden_size is not a multiple of num_attention_heads",
      text(config.hidden_size, " and ", config.num_attention_heads), "a multiple, or a head_dim");
  config.head_dim =
      size_from_json(json, "head_dim", std::max<std::int64_t>(config.hidden_size / config.num_attention_heads, 1));
  json.expect(config.head_dim % 2 == 0, "head_dim is odd", config.head_dim, "an even number (rotary pairs)");
}

void read_layers(JsonObject& json, const ConfigFamily& family, ModelConfig& config) {
  const std::int64_t count = size_from_json(json, "num_hidden_layers");
  json.expect(count <= kMostLayers, "num_hidden_layers is too large", count, text("at most ", kMostLayers));
  family.read(json, count, config);
  const std::int64_t experts = num_experts(config);
  json.expect(experts <= kMostExpertsOfModel, "num_experts of all layers together is too large", experts,
              text("at most ", kMostExpertsOfModel));
}

// What Lathe's forward does not compute must not be ignored: the model would load and write nonsense.
void refuse_unsupported(JsonObject& json) {
  const std::string activation = json.string("hidden_act", "silu");
  json.expect(activation == "silu" || activation == "swish", "this hidden_act is not supported",
              text("\"", activation, "\""), "silu");
  json.expect(!json.has("quantization_config"), "quantised weights are not read from this format",
              "quantization_config", "the unquantised model, or a GGUF file");
  const double partial = json.number("partial_rotary_factor", 1.0);
  json.expect(partial == 1.0, "\"partial_rotary_factor\" is not supported", partial, "1: Lathe rotates whole heads");
}

// In floating point, so that absurd sizes cannot overflow before they are refused.
void refuse_impossible_size(const JsonObject& json, const ModelConfig& config) {
  const double hidden = static_cast<double>(config.hidden_size);
  double params = 2.0 * hidden * static_cast<double>(config.vocab_size);
  const double heads = static_cast<double>(config.num_attention_heads);
  for (const LayerConfig& layer : config.layers) {
    const AttentionConfig& mla = layer.attention;
    const double head = static_cast<double>(std::max(config.head_dim, mla.qk_nope_head_dim + mla.qk_rope_head_dim));
    const double values = static_cast<double>(mla.v_head_dim + mla.qk_nope_head_dim);
    params += 4.0 * hidden * heads * head;
    params += heads * (values + head) * static_cast<double>(mla.kv_lora_rank + mla.q_lora_rank);
    params += 3.0 * hidden * static_cast<double>(config.intermediate_size);
    const FeedForwardConfig& moe = layer.feed_forward;
    params += 3.0 * hidden *
              (static_cast<double>(moe.num_experts) * static_cast<double>(moe.moe_intermediate_size) +
               static_cast<double>(moe.shared_expert_intermediate_size));
  }
  json.expect(params < kMostParams, "the sizes multiply to more than any model has", text(params, " parameters"),
              text("fewer than ", kMostParams, "; at least one size is wrong"));
}

nlohmann::json rope_to_json(const RopeScaling& scaling) {
  if (scaling.kind == RopeScalingKind::None) return nullptr;
  if (scaling.kind == RopeScalingKind::Yarn) {
    return {{"rope_type", "yarn"},
            {"factor", scaling.factor},
            {"original_max_position_embeddings", scaling.original_max_position_embeddings},
            {"beta_fast", scaling.beta_fast},
            {"beta_slow", scaling.beta_slow},
            {"truncate", scaling.truncate},
            {"attention_factor", scaling.attention_factor},
            {"score_factor", scaling.score_factor}};
  }
  if (scaling.kind == RopeScalingKind::Linear) return {{"rope_type", "linear"}, {"factor", scaling.factor}};
  return {{"rope_type", "llama3"},
          {"factor", scaling.factor},
          {"low_freq_factor", scaling.low_freq_factor},
          {"high_freq_factor", scaling.high_freq_factor},
          {"original_max_position_embeddings", scaling.original_max_position_embeddings}};
}

nlohmann::json eos_to_json(const std::vector<std::int64_t>& ids) {
  if (ids.empty()) return nullptr;
  return ids.size() == 1 ? nlohmann::json(ids.front()) : nlohmann::json(ids);
}

}  // namespace

std::int64_t num_experts(const ModelConfig& config) {
  std::int64_t experts = 0;
  for (const LayerConfig& layer : config.layers) experts += layer.feed_forward.num_experts;
  return experts;
}

ModelConfig config_from_json(const nlohmann::json& root) {
  JsonObject json(root, "config.json");
  const ConfigFamily& family = config_family(json);
  refuse_unsupported(json);
  ModelConfig config;
  config.vocab_size = size_from_json(json, "vocab_size");
  config.hidden_size = size_from_json(json, "hidden_size");
  config.intermediate_size = size_from_json(json, "intermediate_size");
  config.max_position_embeddings = size_from_json(json, "max_position_embeddings", 2048);
  read_heads(json, config);
  config.rms_norm_eps = json.number("rms_norm_eps", 1e-6);
  json.expect(config.rms_norm_eps >= 0, "rms_norm_eps cannot be", config.rms_norm_eps, "0 or more");
  read_rope(json, family, config);
  config.tie_word_embeddings = json.boolean("tie_word_embeddings", false);
  if (const auto bos = json.integer_or_list("bos_token_id"); !bos.empty()) config.bos_token_id = bos.front();
  config.eos_token_ids = json.integer_or_list("eos_token_id");
  read_layers(json, family, config);
  refuse_impossible_size(json, config);
  return config;
}

bool stores_interleaved_rope(const nlohmann::json& config_json) {
  JsonObject json(config_json, "config.json");
  if (!json.has("qk_rope_head_dim")) return false;
  return json.string("model_type") == "deepseek_v2" || json.boolean("rope_interleave", true);
}

nlohmann::json config_to_json(const ModelConfig& config) {
  bool converted = config.qk_norm || config.attention_output_bias != config.attention_bias;
  nlohmann::json layers = nlohmann::json::array();
  for (const LayerConfig& layer : config.layers) {
    converted = converted || layer != LayerConfig{};
    layers.push_back(layer_config_to_json(layer));
  }
  nlohmann::json json{{"model_type", converted ? "lathe" : "llama"},
                      {"architectures", {converted ? "LatheForCausalLM" : "LlamaForCausalLM"}},
                      {"vocab_size", config.vocab_size},
                      {"hidden_size", config.hidden_size},
                      {"intermediate_size", config.intermediate_size},
                      {"num_hidden_layers", config.num_layers()},
                      {"num_attention_heads", config.num_attention_heads},
                      {"num_key_value_heads", config.num_key_value_heads},
                      {"head_dim", config.head_dim},
                      {"hidden_act", "silu"},
                      {"max_position_embeddings", config.max_position_embeddings},
                      {"rms_norm_eps", config.rms_norm_eps},
                      {"rope_theta", config.rope_theta},
                      {"rope_scaling", rope_to_json(config.rope_scaling)},
                      {"tie_word_embeddings", config.tie_word_embeddings},
                      {"attention_bias", config.attention_bias},
                      {"mlp_bias", config.mlp_bias},
                      {"bos_token_id", config.bos_token_id ? nlohmann::json(*config.bos_token_id) : nullptr},
                      {"eos_token_id", eos_to_json(config.eos_token_ids)}};
  if (!converted) return json;
  json["rope_parameters"] = rope_to_json(config.rope_scaling);
  if (json["rope_parameters"].is_null()) json["rope_parameters"] = {{"rope_type", "default"}};
  json["rope_parameters"]["rope_theta"] = config.rope_theta;
  json["attention_output_bias"] = config.attention_output_bias;
  json["qk_norm"] = config.qk_norm;
  json["layers"] = std::move(layers);
  return json;
}

}  // namespace lathe
