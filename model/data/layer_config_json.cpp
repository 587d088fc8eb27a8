#include "model/data/layer_config_json.h"

#include <string>

namespace lathe {
namespace {

constexpr std::int64_t kLargestSize = std::int64_t{1} << 28;

std::int64_t size(JsonObject& json, const std::string& key, std::int64_t smallest) {
  const std::int64_t value = json.integer(key);
  json.expect(value >= smallest && value <= kLargestSize, text("the size \"", key, "\" cannot be"), value,
              text(smallest, " to ", kLargestSize));
  return value;
}

std::int64_t size_or_none(JsonObject& json, const std::string& key) {
  return json.integer(key, 0) == 0 ? 0 : size(json, key, 1);
}

void check_rope_pairs(const AttentionConfig& mla, const ModelConfig& model, const JsonObject& json) {
  const std::int64_t num_pairs = mla.qk_rope_head_dim / 2;
  json.expect(mla.qk_rope_head_dim % 2 == 0, "qk_rope_head_dim is odd", mla.qk_rope_head_dim, "an even number");
  json.expect(static_cast<std::int64_t>(mla.rope_pairs.size()) == num_pairs,
              "rope_pairs does not name the frequency of each pair", text(mla.rope_pairs.size(), " entries"),
              text("qk_rope_head_dim / 2 = ", num_pairs));
  for (const std::int64_t pair : mla.rope_pairs) {
    json.expect(pair >= 0 && pair < model.head_dim / 2, "rope_pairs names a frequency that there is not", pair,
                text("0 to head_dim / 2 - 1 = ", model.head_dim / 2 - 1));
  }
}

AttentionConfig attention_from_json(JsonObject json, const ModelConfig& model) {
  AttentionConfig attention;
  const std::string kind = json.string("kind");
  attention.sliding_window = size_or_none(json, "sliding_window");
  if (kind == "mla") {
    json.expect(attention.sliding_window == 0, "MLA has no sliding window", attention.sliding_window, "0 or none");
    attention.kind = AttentionKind::Mla;
    attention.kv_lora_rank = size(json, "kv_lora_rank", 1);
    attention.q_lora_rank = size_or_none(json, "q_lora_rank");
    attention.qk_nope_head_dim = size(json, "qk_nope_head_dim", 0);
    attention.qk_rope_head_dim = size(json, "qk_rope_head_dim", 0);
    attention.v_head_dim = size(json, "v_head_dim", 1);
    attention.query_bias = json.boolean("query_bias", true);
    attention.output_bias = json.boolean("output_bias", false);
    attention.latent_norm = json.boolean("latent_norm", false);
    attention.rope_pairs = json.integers("rope_pairs");
    json.expect(attention.qk_nope_head_dim + attention.qk_rope_head_dim > 0, "queries and keys would be empty",
                "qk_nope_head_dim and qk_rope_head_dim 0", "one of them above 0");
    check_rope_pairs(attention, model, json);
  } else {
    json.expect(kind == "gqa", "this kind of attention is not known", text("\"", kind, "\""), "gqa or mla");
  }
  json.refuse_unknown_keys();
  return attention;
}

RouterKind router_from_json(JsonObject& json) {
  const std::string router = json.string("router");
  json.expect(router == "softmax" || router == "sigmoid", "this router is not known", text("\"", router, "\""),
              "softmax or sigmoid");
  return router == "sigmoid" ? RouterKind::Sigmoid : RouterKind::Softmax;
}

FeedForwardConfig feed_forward_from_json(JsonObject json) {
  FeedForwardConfig moe;
  const std::string kind = json.string("kind");
  if (kind == "moe") {
    moe.kind = FeedForwardKind::Moe;
    moe.num_experts = size(json, "num_experts", 1);
    json.expect(moe.num_experts <= kMostExpertsOfLayer, "num_experts is too large", moe.num_experts,
                text("at most ", kMostExpertsOfLayer));
    moe.num_experts_per_tok = size(json, "num_experts_per_tok", 1);
    moe.moe_intermediate_size = size(json, "moe_intermediate_size", 1);
    moe.shared_expert_intermediate_size = size_or_none(json, "shared_expert_intermediate_size");
    moe.shared_expert_gate = json.boolean("shared_expert_gate", false);
    moe.router = router_from_json(json);
    moe.unit_weights = json.boolean("unit_weights", false);
    moe.expert_bias = json.boolean("expert_bias", false);
    moe.norm_topk_prob = json.boolean("norm_topk_prob", true);
    moe.routed_scaling_factor = json.number("routed_scaling_factor", 1.0);
    moe.n_group = json.integer("n_group", 1);
    moe.topk_group = json.integer("topk_group", 1);
    check_groups(json, moe);
    json.expect(moe.num_experts_per_tok <= moe.num_experts, "num_experts_per_tok is more than there are experts",
                moe.num_experts_per_tok, text("at most num_experts = ", moe.num_experts));
    json.expect(!moe.shared_expert_gate || moe.shared_expert_intermediate_size > 0,
                "there is a gate but no shared expert", "shared_expert_intermediate_size 0",
                "a size above 0, or shared_expert_gate false");
  } else {
    json.expect(kind == "dense", "this kind of feed-forward is not known", text("\"", kind, "\""), "dense or moe");
  }
  json.refuse_unknown_keys();
  return moe;
}

nlohmann::json attention_to_json(const AttentionConfig& mla) {
  if (mla.kind == AttentionKind::Gqa) {
    nlohmann::json gqa{{"kind", "gqa"}};
    if (mla.sliding_window > 0) gqa["sliding_window"] = mla.sliding_window;
    return gqa;
  }
  nlohmann::json json{{"kind", "mla"},
                      {"kv_lora_rank", mla.kv_lora_rank},
                      {"q_lora_rank", mla.q_lora_rank == 0 ? nlohmann::json() : nlohmann::json(mla.q_lora_rank)},
                      {"qk_nope_head_dim", mla.qk_nope_head_dim},
                      {"qk_rope_head_dim", mla.qk_rope_head_dim},
                      {"v_head_dim", mla.v_head_dim},
                      {"latent_norm", mla.latent_norm},
                      {"rope_pairs", mla.rope_pairs}};
  if (!mla.query_bias) json["query_bias"] = false;
  if (mla.output_bias) json["output_bias"] = true;
  return json;
}

nlohmann::json feed_forward_to_json(const FeedForwardConfig& moe) {
  if (moe.kind == FeedForwardKind::Dense) return {{"kind", "dense"}};
  nlohmann::json json{{"kind", "moe"},
                      {"num_experts", moe.num_experts},
                      {"num_experts_per_tok", moe.num_experts_per_tok},
                      {"moe_intermediate_size", moe.moe_intermediate_size},
                      {"shared_expert_intermediate_size", moe.shared_expert_intermediate_size},
                      {"shared_expert_gate", moe.shared_expert_gate},
                      {"router", moe.router == RouterKind::Sigmoid ? "sigmoid" : "softmax"},
                      {"norm_topk_prob", moe.norm_topk_prob},
                      {"routed_scaling_factor", moe.routed_scaling_factor}};
  if (moe.unit_weights) json["unit_weights"] = true;
  if (moe.expert_bias) json["expert_bias"] = true;
  if (moe.n_group > 1) json.update({{"n_group", moe.n_group}, {"topk_group", moe.topk_group}});
  return json;
}

}  // namespace

void check_groups(const JsonObject& json, const FeedForwardConfig& moe) {
  const bool divides = moe.n_group >= 1 && moe.n_group <= moe.num_experts && moe.num_experts % moe.n_group == 0;
  json.expect(divides, "the experts do not divide into n_group groups", moe.n_group, "a divisor of num_experts");
  const std::int64_t in_group = moe.num_experts / moe.n_group;
  json.expect(moe.topk_group >= 1 && moe.topk_group <= moe.n_group, "topk_group cannot be", moe.topk_group,
              text("1 to n_group = ", moe.n_group));
  json.expect(moe.num_experts_per_tok <= moe.topk_group * in_group, "more experts are chosen than topk_group holds",
              moe.num_experts_per_tok, text("at most ", moe.topk_group * in_group));
  json.expect(moe.n_group == 1 || moe.router == RouterKind::Softmax || in_group >= 2,
              "a group is scored by its two best experts", text(in_group, " in each group"), "2 or more");
}

LayerConfig layer_config_from_json(JsonObject& json, const ModelConfig& model) {
  LayerConfig layer;
  if (json.has("attention")) layer.attention = attention_from_json(json.object("attention"), model);
  if (json.has("feed_forward")) layer.feed_forward = feed_forward_from_json(json.object("feed_forward"));
  json.refuse_unknown_keys();
  return layer;
}

nlohmann::json layer_config_to_json(const LayerConfig& layer) {
  return {{"attention", attention_to_json(layer.attention)},
          {"feed_forward", feed_forward_to_json(layer.feed_forward)}};
}

}  // namespace lathe
