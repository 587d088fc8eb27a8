#include "model/data/config_families.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <numeric>

#include "model/data/layer_config_json.h"

namespace lathe {
namespace {

// Every product of two sizes stays far inside 64 bits.
constexpr std::int64_t kLargestSize = std::int64_t{1} << 28;
// A layer keeps a number for every two: what a few bytes of a file ask for stays small.
constexpr std::int64_t kMostRotatedDims = 1024;

void make_layers(ModelConfig& config, std::int64_t count, const LayerConfig& layer = {}) {
  config.layers.assign(static_cast<std::size_t>(count), layer);
}

std::vector<std::string> strings(JsonObject& json, const std::string& key) {
  std::vector<std::string> values;
  for (const nlohmann::json& value : json.array(key)) {
    json.expect(value.is_string(), text("\"", key, "\" is not a list of words"), value.type_name(), "strings");
    values.push_back(value);
  }
  return values;
}

/// One word a layer; `on` where the word is `name`, an error where it is neither of both.
std::vector<bool> layer_words(JsonObject& json, const std::string& key, std::array<std::string_view, 2> on_off,
                              std::int64_t layers) {
  const std::vector<std::string> words = strings(json, key);
  json.expect(std::ssize(words) == layers, text("\"", key, "\" does not name every layer"), words.size(), text(layers));
  std::vector<bool> on;
  for (const std::string& word : words) {
    json.expect(word == on_off[0] || word == on_off[1], text("\"", key, "\" holds another word"),
                text("\"", word, "\""), text(on_off[0], " or ", on_off[1]));
    on.push_back(word == on_off[0]);
  }
  return on;
}

/// Sets the window of the layers that `slides` says, if there is one.
template <typename Slides>
void read_windows(JsonObject& json, ModelConfig& config, const Slides& slides) {
  if (!json.has("sliding_window")) return;
  const std::int64_t window = size_from_json(json, "sliding_window");
  std::vector<bool> listed;
  if (json.has("layer_types")) {
    listed = layer_words(json, "layer_types", {"sliding_attention", "full_attention"}, config.num_layers());
  }
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    const bool on = listed.empty() ? slides(static_cast<std::int64_t>(i)) : listed[i];
    if (on) config.layers[i].attention.sliding_window = window;
  }
}

/// Qwen keeps a sliding_window that use_sliding_window turns on.
template <typename Slides>
void read_optional_windows(JsonObject& json, ModelConfig& config, const Slides& slides) {
  if (json.boolean("use_sliding_window", false)) read_windows(json, config, slides);
}

void read_llama(JsonObject& json, std::int64_t layers, ModelConfig& config) {
  config.attention_bias = json.boolean("attention_bias", false);
  config.attention_output_bias = config.attention_bias;
  config.mlp_bias = json.boolean("mlp_bias", false);
  json.expect(!json.has("sliding_window"), "Llama's attention has no sliding window", "sliding_window", "none");
  make_layers(config, layers);
}

void read_mistral(JsonObject& json, std::int64_t layers, ModelConfig& config) {
  make_layers(config, layers);
  read_windows(json, config, [](std::int64_t) { return true; });
}

void read_qwen2(JsonObject& json, std::int64_t layers, ModelConfig& config) {
  config.attention_bias = true;
  make_layers(config, layers);
  const std::int64_t full = json.integer("max_window_layers", 28);
  read_optional_windows(json, config, [full](std::int64_t layer) { return layer >= full; });
}

void check_choice(const JsonObject& json, const FeedForwardConfig& moe) {
  json.expect(moe.num_experts <= kMostExpertsOfLayer, "there are too many experts", moe.num_experts,
              text("at most ", kMostExpertsOfLayer));
  json.expect(moe.num_experts_per_tok <= moe.num_experts, "num_experts_per_tok is more than there are experts",
              moe.num_experts_per_tok, text("at most ", moe.num_experts));
}

void read_mixtral(JsonObject& json, std::int64_t layers, ModelConfig& config) {
  FeedForwardConfig moe{.kind = FeedForwardKind::Moe};
  moe.num_experts = size_from_json(json, json.has("num_experts") ? "num_experts" : "num_local_experts");
  moe.num_experts_per_tok = size_from_json(json, "num_experts_per_tok", 2);
  moe.moe_intermediate_size = config.intermediate_size;
  check_choice(json, moe);
  make_layers(config, layers, {.attention = {}, .feed_forward = moe});
  read_windows(json, config, [](std::int64_t) { return true; });
}

/// Puts `moe` into the layers that Qwen's decoder_sparse_step and mlp_only_layers leave to experts.
void place_qwen_experts(JsonObject& json, const FeedForwardConfig& moe, ModelConfig& config) {
  const std::int64_t step = json.integer("decoder_sparse_step", 1);
  json.expect(step >= 0 && step <= kLargestSize, "\"decoder_sparse_step\" cannot be", step, "0 or more");
  std::vector<std::int64_t> listed;
  if (json.has("mlp_only_layers")) listed = json.integers("mlp_only_layers");
  std::vector<bool> dense(config.layers.size());
  for (const std::int64_t layer : listed) {
    json.expect(layer >= 0 && layer < config.num_layers(), "\"mlp_only_layers\" names a layer that there is not", layer,
                text("0 to ", config.num_layers() - 1));
    dense[static_cast<std::size_t>(layer)] = true;
  }
  for (std::int64_t i = 0; i < config.num_layers(); ++i) {
    if (!dense[static_cast<std::size_t>(i)] && step > 0 && (i + 1) % step == 0)
      config.layers[static_cast<std::size_t>(i)].feed_forward = moe;
  }
}

void read_qwen2_moe(JsonObject& json, std::int64_t layers, ModelConfig& config) {
  config.attention_bias = json.boolean("qkv_bias", true);
  FeedForwardConfig moe{.kind = FeedForwardKind::Moe};
  moe.num_experts = size_from_json(json, "num_experts");
  moe.num_experts_per_tok = size_from_json(json, "num_experts_per_tok", 4);
  moe.moe_intermediate_size = size_from_json(json, "moe_intermediate_size");
  moe.shared_expert_intermediate_size = size_from_json(json, "shared_expert_intermediate_size");
  moe.shared_expert_gate = true;
  moe.norm_topk_prob = json.boolean("norm_topk_prob", false);
  check_choice(json, moe);
  make_layers(config, layers);
  place_qwen_experts(json, moe, config);
  const std::int64_t full = json.integer("max_window_layers", 28);
  read_optional_windows(json, config, [full](std::int64_t layer) { return layer % 2 == 0 && layer < full; });
}

void read_qwen3_moe(JsonObject& json, std::int64_t layers, ModelConfig& config) {
  config.attention_bias = json.boolean("attention_bias", false);
  config.attention_output_bias = config.attention_bias;
  config.qk_norm = true;
  FeedForwardConfig moe{.kind = FeedForwardKind::Moe};
  moe.num_experts = size_from_json(json, json.has("num_experts") ? "num_experts" : "num_local_experts");
  moe.num_experts_per_tok = size_from_json(json, "num_experts_per_tok", 8);
  moe.moe_intermediate_size = size_from_json(json, "moe_intermediate_size");
  moe.norm_topk_prob = json.boolean("norm_topk_prob", false);
  check_choice(json, moe);
  make_layers(config, layers);
  place_qwen_experts(json, moe, config);
  read_optional_windows(json, config, [](std::int64_t) { return true; });
}

AttentionConfig deepseek_attention(JsonObject& json, ModelConfig& config) {
  AttentionConfig mla;
  mla.kind = AttentionKind::Mla;
  mla.kv_lora_rank = size_from_json(json, "kv_lora_rank");
  if (json.has("q_lora_rank")) mla.q_lora_rank = size_from_json(json, "q_lora_rank");
  mla.qk_nope_head_dim = size_from_json(json, "qk_nope_head_dim");
  mla.qk_rope_head_dim = size_from_json(json, "qk_rope_head_dim");
  mla.v_head_dim = size_from_json(json, "v_head_dim");
  mla.latent_norm = true;
  json.expect(mla.qk_rope_head_dim % 2 == 0, "qk_rope_head_dim is odd", mla.qk_rope_head_dim, "an even number");
  json.expect(mla.qk_rope_head_dim <= kMostRotatedDims, "qk_rope_head_dim is too large", mla.qk_rope_head_dim,
              text("at most ", kMostRotatedDims));
  mla.rope_pairs.resize(static_cast<std::size_t>(mla.qk_rope_head_dim / 2));
  std::iota(mla.rope_pairs.begin(), mla.rope_pairs.end(), 0);
  config.attention_bias = json.boolean("attention_bias", false);
  config.attention_output_bias = config.attention_bias;
  mla.query_bias = false;
  config.head_dim = mla.qk_rope_head_dim;  // the frequencies are those of the rotated part
  config.num_key_value_heads = config.num_attention_heads;
  return mla;
}

FeedForwardConfig deepseek_experts(JsonObject& json, RouterKind router) {
  FeedForwardConfig moe{.kind = FeedForwardKind::Moe, .router = router};
  moe.num_experts = size_from_json(json, "n_routed_experts");
  moe.num_experts_per_tok = size_from_json(json, "num_experts_per_tok");
  moe.moe_intermediate_size = size_from_json(json, "moe_intermediate_size");
  if (json.integer("n_shared_experts", 0) != 0) {
    const std::int64_t shared = size_from_json(json, "n_shared_experts");
    json.expect(shared <= kMostExpertsOfLayer, "\"n_shared_experts\" is too large", shared, "a few");
    moe.shared_expert_intermediate_size = shared * moe.moe_intermediate_size;
    json.expect(moe.shared_expert_intermediate_size <= kLargestSize, "the shared experts together are too large",
                text(shared, " of ", moe.moe_intermediate_size), text("at most ", kLargestSize));
  }
  moe.norm_topk_prob = json.boolean("norm_topk_prob", router == RouterKind::Sigmoid);
  moe.routed_scaling_factor = json.number("routed_scaling_factor", 1.0);
  check_choice(json, moe);
  return moe;
}

void read_groups(JsonObject& json, FeedForwardConfig& moe) {
  moe.n_group = size_from_json(json, "n_group", 1);
  moe.topk_group = size_from_json(json, "topk_group", 1);
  check_groups(json, moe);
}

/// MLA everywhere, and experts from layer `first_moe` on.
void make_deepseek_layers(JsonObject& json, std::int64_t layers, std::int64_t first_moe, const FeedForwardConfig& moe,
                          ModelConfig& config) {
  json.expect(json.integer("moe_layer_freq", 1) == 1, "\"moe_layer_freq\" is not supported",
              json.integer("moe_layer_freq", 1), "1");
  make_layers(config, layers, {.attention = deepseek_attention(json, config), .feed_forward = {}});
  for (std::int64_t i = first_moe; i < layers; ++i) config.layers[static_cast<std::size_t>(i)].feed_forward = moe;
}

std::int64_t first_moe_layer(JsonObject& json, std::int64_t otherwise) {
  const std::int64_t first = json.integer("first_k_dense_replace", otherwise);
  json.expect(first >= 0, "\"first_k_dense_replace\" cannot be", first, "0 or more");
  return first;
}

// Source: Hugging Face deepseek_v2: groups only where topk_method says so, weights never renormalised.
void read_deepseek_v2(JsonObject& json, std::int64_t layers, ModelConfig& config) {
  FeedForwardConfig moe = deepseek_experts(json, RouterKind::Softmax);
  json.expect(!moe.norm_topk_prob, "DeepSeek-V2 does not renormalise its experts' weights", "norm_topk_prob true",
              "false");
  const std::string method = json.string("topk_method", "greedy");
  json.expect(method == "greedy" || method == "group_limited_greedy", "this topk_method is not supported",
              text("\"", method, "\""), "greedy or group_limited_greedy");
  if (method == "group_limited_greedy") read_groups(json, moe);
  make_deepseek_layers(json, layers, first_moe_layer(json, 0), moe, config);
}

void read_deepseek_v3(JsonObject& json, std::int64_t layers, ModelConfig& config) {
  FeedForwardConfig moe = deepseek_experts(json, RouterKind::Sigmoid);
  read_groups(json, moe);
  make_deepseek_layers(json, layers, first_moe_layer(json, 3), moe, config);
}

void read_glm4_moe_lite(JsonObject& json, std::int64_t layers, ModelConfig& config) {
  FeedForwardConfig moe = deepseek_experts(json, RouterKind::Sigmoid);
  read_groups(json, moe);
  make_deepseek_layers(json, layers, first_moe_layer(json, 1), moe, config);
  if (!json.has("mlp_layer_types")) return;
  const std::vector<bool> sparse = layer_words(json, "mlp_layer_types", {"sparse", "dense"}, layers);
  for (std::size_t i = 0; i < sparse.size(); ++i) {
    config.layers[i].feed_forward = sparse[i] ? moe : FeedForwardConfig{};
  }
}

void read_lathe(JsonObject& json, std::int64_t layers, ModelConfig& config) {
  config.attention_bias = json.boolean("attention_bias", false);
  config.attention_output_bias = json.boolean("attention_output_bias", config.attention_bias);
  config.mlp_bias = json.boolean("mlp_bias", false);
  config.qk_norm = json.boolean("qk_norm", false);
  for (JsonObject& layer : json.objects("layers")) config.layers.push_back(layer_config_from_json(layer, config));
  json.expect(config.num_layers() == layers, "\"layers\" does not list every layer", config.num_layers(),
              text(layers, ", as num_hidden_layers says"));
}

constexpr double kMixtralTheta = 1e6;

constexpr std::array<ConfigFamily, 10> kFamilies{{{"llama", 10000.0, read_llama},
                                                  {"mistral", 10000.0, read_mistral},
                                                  {"qwen2", 10000.0, read_qwen2},
                                                  {"mixtral", kMixtralTheta, read_mixtral},
                                                  {"qwen2_moe", 10000.0, read_qwen2_moe},
                                                  {"qwen3_moe", 10000.0, read_qwen3_moe},
                                                  {"deepseek_v2", 10000.0, read_deepseek_v2},
                                                  {"deepseek_v3", 10000.0, read_deepseek_v3},
                                                  {"glm4_moe_lite", 10000.0, read_glm4_moe_lite},
                                                  {"lathe", 10000.0, read_lathe}}};

}  // namespace

std::span<const ConfigFamily> config_families() { return kFamilies; }

const ConfigFamily& config_family(JsonObject& json) {
  const std::string type = json.string("model_type");
  const auto* found = std::ranges::find(kFamilies, type, &ConfigFamily::model_type);
  std::string supported;
  for (const ConfigFamily& family : kFamilies) supported += text(supported.empty() ? "" : ", ", family.model_type);
  json.expect(found != kFamilies.end(), "this model_type is not supported", text("\"", type, "\""), supported);
  return *found;
}

std::int64_t size_from_json(JsonObject& json, const std::string& key, std::optional<std::int64_t> otherwise) {
  const std::int64_t value = otherwise ? json.integer(key, *otherwise) : json.integer(key);
  json.expect(value >= 1 && value <= kLargestSize, text("the size \"", key, "\" cannot be"), value,
              text("1 to ", kLargestSize));
  return value;
}

}  // namespace lathe
