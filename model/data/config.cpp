#include "model/data/config.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "model/data/error.h"
#include "model/data/json_object.h"
#include "model/data/layer_config_json.h"

namespace lathe {
namespace {

constexpr std::string_view kWhere = "config.json";

// Every product of two sizes stays far inside 64 bits.
constexpr std::int64_t kLargestSize = std::int64_t{1} << 28;
constexpr std::int64_t kMostLayers = 4096;
constexpr double kMostParams = 1e15;

std::int64_t size(JsonObject& json, const std::string& key, std::optional<std::int64_t> otherwise = {}) {
  const std::int64_t value = otherwise ? json.integer(key, *otherwise) : json.integer(key);
  check(value >= 1 && value <= kLargestSize, "[", json.where(), "] \"", key, "\": got ", value, ", expected 1 to ",
        kLargestSize);
  return value;
}

RopeScaling rope_scaling(JsonObject json, std::int64_t max_position_embeddings) {
  const std::string type = json.string("rope_type", json.string("type", "default"));
  const double partial = json.number("partial_rotary_factor", 1.0);
  check(partial == 1.0, "[", json.where(), "] \"partial_rotary_factor\": got ", partial,
        ", expected 1; Lathe rotates whole heads");
  if (type == "default") return {};
  RopeScaling scaling{.factor = json.number("factor")};
  check(scaling.factor > 0, "[", json.where(), "] \"factor\": got ", scaling.factor, ", expected above 0");
  if (type == "linear") {
    scaling.kind = RopeScalingKind::Linear;
    return scaling;
  }
  check(type == "llama3", "[", json.where(), "] rope type: got \"", type, "\", expected default, linear or llama3");
  scaling.kind = RopeScalingKind::Llama3;
  scaling.low_freq_factor = json.number("low_freq_factor");
  scaling.high_freq_factor = json.number("high_freq_factor");
  scaling.original_max_position_embeddings = size(json, "original_max_position_embeddings", max_position_embeddings);
  check(scaling.low_freq_factor > 0 && scaling.high_freq_factor > scaling.low_freq_factor, "[", json.where(),
        "] got low_freq_factor ", scaling.low_freq_factor, " and high_freq_factor ", scaling.high_freq_factor,
        ", expected 0 < low < high");
  return scaling;
}

// transformers 4 writes rope_theta and rope_scaling, transformers 5 one rope_parameters; both stay readable.
void read_rope(JsonObject& json, ModelConfig& config) {
  config.rope_theta = json.number("rope_theta", 10000.0);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!json.has(key)) continue;
    JsonObject rope = json.object(key);
    config.rope_theta = rope.number("rope_theta", config.rope_theta);
    config.rope_scaling = rope_scaling(rope, config.max_position_embeddings);
  }
  check(config.rope_theta > 0, "[", kWhere, "] \"rope_theta\": got ", config.rope_theta, ", expected above 0");
}

void read_heads(JsonObject& json, ModelConfig& config) {
  config.num_attention_heads = size(json, "num_attention_heads");
  config.num_key_value_heads = size(json, "num_key_value_heads", config.num_attention_heads);
  check(config.num_attention_heads % config.num_key_value_heads == 0, "[", kWhere, "] num_attention_heads ",
        config.num_attention_heads, " is not a multiple of num_key_value_heads ", config.num_key_value_heads);
  check(json.has("head_dim") || config.hidden_size % config.num_attention_heads == 0, "[", kWhere, "] hidden_size ",
        config.hidden_size, " is not a multiple of num_attention_heads ", config.num_attention_heads,
        ", and no head_dim is given");
  config.head_dim = size(json, "head_dim", std::max<std::int64_t>(config.hidden_size / config.num_attention_heads, 1));
  check(config.head_dim % 2 == 0, "[", kWhere, "] head_dim: got ", config.head_dim,
        ", expected an even number (rotary pairs)");
}

void read_layers(JsonObject& json, ModelConfig& config, bool is_lathe) {
  const std::int64_t count = size(json, "num_hidden_layers");
  check(count <= kMostLayers, "[", kWhere, "] num_hidden_layers: got ", count, ", expected at most ", kMostLayers);
  if (!is_lathe) {
    config.layers.assign(static_cast<std::size_t>(count), LayerConfig{});
    return;
  }
  for (JsonObject& layer : json.objects("layers")) config.layers.push_back(layer_config_from_json(layer, config));
  check(config.num_layers() == count, "[", kWhere, "] \"layers\" lists ", config.num_layers(),
        " layers, but num_hidden_layers is ", count);
  const std::int64_t experts = num_experts(config);
  check(experts <= kMostExpertsOfModel, "[", kWhere, "] \"num_experts\": the layers have ", experts,
        " experts together, expected at most ", kMostExpertsOfModel);
}

// What Lathe's forward does not compute must not be ignored: the model would load and write nonsense.
void refuse_unsupported(JsonObject& json) {
  const std::string activation = json.string("hidden_act", "silu");
  check(activation == "silu" || activation == "swish", "[", kWhere, "] hidden_act: got \"", activation,
        "\", expected silu");
  check(!json.has("quantization_config"), "[", kWhere,
        "] the weights are quantised (quantization_config), which Lathe does not read from safetensors; open the "
        "unquantised model or a GGUF file");
  check(!json.has("sliding_window"), "[", kWhere, "] sliding_window attention is not supported");
  if (json.has("partial_rotary_factor")) {
    const double partial = json.number("partial_rotary_factor");
    check(partial == 1.0, "[", kWhere, "] partial_rotary_factor: got ", partial, ", expected 1");
  }
}

// In floating point, so that absurd sizes cannot overflow before they are refused.
void refuse_impossible_size(const ModelConfig& config) {
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
  check(params < kMostParams, "[", kWhere, "] the sizes multiply to ", params, " parameters, more than ", kMostParams,
        "; at least one of them is wrong");
}

nlohmann::json rope_to_json(const RopeScaling& scaling) {
  if (scaling.kind == RopeScalingKind::None) return nullptr;
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
  JsonObject json(root, std::string(kWhere));
  const std::string type = json.string("model_type");
  check(type == "llama" || type == "lathe", "[", kWhere, "] model_type: got \"", type,
        "\"; Lathe opens \"llama\" and its own \"lathe\"");
  refuse_unsupported(json);
  ModelConfig config;
  config.vocab_size = size(json, "vocab_size");
  config.hidden_size = size(json, "hidden_size");
  config.intermediate_size = size(json, "intermediate_size");
  config.max_position_embeddings = size(json, "max_position_embeddings", 2048);
  read_heads(json, config);
  config.rms_norm_eps = json.number("rms_norm_eps", 1e-6);
  check(config.rms_norm_eps >= 0, "[", kWhere, "] rms_norm_eps: got ", config.rms_norm_eps, ", expected 0 or more");
  read_rope(json, config);
  config.tie_word_embeddings = json.boolean("tie_word_embeddings", false);
  config.attention_bias = json.boolean("attention_bias", false);
  config.mlp_bias = json.boolean("mlp_bias", false);
  if (const auto bos = json.integer_or_list("bos_token_id"); !bos.empty()) config.bos_token_id = bos.front();
  config.eos_token_ids = json.integer_or_list("eos_token_id");
  read_layers(json, config, type == "lathe");
  refuse_impossible_size(config);
  return config;
}

nlohmann::json config_to_json(const ModelConfig& config) {
  bool converted = false;
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
  if (converted) json["layers"] = std::move(layers);
  return json;
}

}  // namespace lathe
