#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>

#include "model/data/error.h"
#include "model/data/json_object.h"
#include "model/data/plan.h"

namespace lathe {
namespace {

constexpr std::int64_t kLatheMoeExperts = 96;
constexpr std::int64_t kLargestSeed = std::numeric_limits<std::int64_t>::max();

std::string joined(std::span<const std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) list += (list.empty() ? "\"" : ", \"") + std::string(name) + "\"";
  return list;
}

std::string one_of(JsonObject& json, const std::string& key, std::span<const std::string_view> known,
                   std::string_view otherwise) {
  const std::string value = json.string(key, std::string(otherwise));
  check(std::find(known.begin(), known.end(), value) != known.end(), "[", json.where(), "] \"", key, "\": got \"",
        value, "\", expected one of ", joined(known));
  return value;
}

MlaPlan mla_from_json(JsonObject json) {
  MlaPlan mla;
  mla.method = one_of(json, "method", kAttentionMethods, mla.method);
  mla.qk_rope_head_dim = json.integer("qk_rope_head_dim", mla.qk_rope_head_dim);
  mla.kv_lora_rank = json.integer("kv_lora_rank", mla.kv_lora_rank);
  if (mla.method == "transmla") {
    mla.freqfold = json.integer("freqfold", mla.freqfold);
    mla.balance_kv_ratio = json.number("balance_kv_ratio", mla.balance_kv_ratio);
  } else {
    mla.context_length = json.integer("context_length", mla.context_length);
    mla.heal_steps = json.integer("heal_steps", mla.heal_steps);
  }
  json.refuse_unknown_keys();
  return mla;
}

MoePlan moe_from_json(JsonObject json) {
  static constexpr std::array<std::string_view, 2> kRouters{"softmax", "sigmoid"};
  static constexpr std::array<std::string_view, 2> kIndexModes{"shared", "independent"};
  MoePlan moe;
  moe.method = one_of(json, "method", kFeedForwardMethods, moe.method);
  if (moe.method == "lathe-moe") {
    moe.num_experts = json.integer("num_experts", kLatheMoeExperts);
    moe.active_fraction = json.number("active_fraction", moe.active_fraction);
    moe.shared_fraction = json.number("shared_fraction", moe.shared_fraction);
    json.refuse_unknown_keys();
    return moe;
  }
  moe.num_experts = json.integer("num_experts", moe.num_experts);
  moe.num_experts_per_tok = json.integer("num_experts_per_tok", moe.num_experts_per_tok);
  if (moe.method == "copy") {
    moe.noise = json.number("noise", moe.noise);
  } else {
    moe.drop_ratio = json.number("drop_ratio", moe.drop_ratio);
    const bool shared = one_of(json, "index_mode", kIndexModes, "shared") == "shared";
    moe.index_mode = shared ? IndexMode::Shared : IndexMode::Independent;
  }
  const bool softmax = one_of(json, "router", kRouters, "softmax") == "softmax";
  moe.router = softmax ? RouterKind::Softmax : RouterKind::Sigmoid;
  moe.norm_topk_prob = json.boolean("norm_topk_prob", moe.norm_topk_prob);
  moe.router_std = json.number("router_std", moe.router_std);
  json.refuse_unknown_keys();
  return moe;
}

nlohmann::json mla_to_json(const MlaPlan& mla) {
  nlohmann::json json{
      {"method", mla.method}, {"qk_rope_head_dim", mla.qk_rope_head_dim}, {"kv_lora_rank", mla.kv_lora_rank}};
  if (mla.method == "transmla") {
    json["freqfold"] = mla.freqfold;
    json["balance_kv_ratio"] = mla.balance_kv_ratio;
  } else {
    json["context_length"] = mla.context_length;
    json["heal_steps"] = mla.heal_steps;
  }
  return json;
}

nlohmann::json moe_to_json(const MoePlan& moe) {
  if (moe.method == "lathe-moe") {
    return {{"method", moe.method},
            {"num_experts", moe.num_experts},
            {"active_fraction", moe.active_fraction},
            {"shared_fraction", moe.shared_fraction}};
  }
  nlohmann::json json{{"method", moe.method},
                      {"num_experts", moe.num_experts},
                      {"num_experts_per_tok", moe.num_experts_per_tok},
                      {"router", moe.router == RouterKind::Softmax ? "softmax" : "sigmoid"},
                      {"norm_topk_prob", moe.norm_topk_prob},
                      {"router_std", moe.router_std}};
  if (moe.method == "copy") {
    json["noise"] = moe.noise;
  } else {
    json["drop_ratio"] = moe.drop_ratio;
    json["index_mode"] = moe.index_mode == IndexMode::Shared ? "shared" : "independent";
  }
  return json;
}

void read_group(JsonObject& json, ConversionPlan& plan) {
  const std::vector<std::int64_t> layers = json.integers("layers");
  check(!layers.empty(), "[", json.where(), "] \"layers\" is an empty list; name at least one layer");
  LayerPlan group;
  if (json.has("attention")) group.attention = mla_from_json(json.object("attention"));
  if (json.has("feed_forward")) group.feed_forward = moe_from_json(json.object("feed_forward"));
  check(!group.empty(), "[", json.where(), "] names layers but neither \"attention\" nor \"feed_forward\"");
  json.refuse_unknown_keys();
  for (const std::int64_t layer : layers) {
    LayerPlan& target = plan.layers[layer];
    const bool twice = (group.attention && target.attention) || (group.feed_forward && target.feed_forward);
    check(!twice, "[", json.where(), "] layer ", layer, " has its ",
          group.attention && target.attention ? "attention" : "feed_forward", " planned twice");
    if (group.attention) target.attention = group.attention;
    if (group.feed_forward) target.feed_forward = group.feed_forward;
  }
}

Calibration calibration_from_json(JsonObject json) {
  Calibration calibration;
  calibration.text = json.string("text", calibration.text);
  calibration.num_samples = json.integer("num_samples", calibration.num_samples);
  calibration.seq_len = json.integer("seq_len", calibration.seq_len);
  json.refuse_unknown_keys();
  return calibration;
}

// Layers with equal settings share one item, in the order of their first layer.
template <typename Part, typename ToJson>
void write_groups(const ConversionPlan& plan, const char* key, std::optional<Part> LayerPlan::*part, ToJson to_json,
                  nlohmann::json& groups) {
  std::vector<std::pair<Part, std::vector<std::int64_t>>> found;
  for (const auto& [layer, layer_plan] : plan.layers) {
    if (!(layer_plan.*part)) continue;
    const auto same =
        std::find_if(found.begin(), found.end(), [&](const auto& g) { return g.first == layer_plan.*part; });
    if (same != found.end()) {
      same->second.push_back(layer);
    } else {
      found.push_back({*(layer_plan.*part), {layer}});
    }
  }
  for (const auto& [settings, layers] : found) groups.push_back({{"layers", layers}, {key, to_json(settings)}});
}

}  // namespace

ConversionPlan plan_from_json(const nlohmann::json& json) {
  JsonObject object(json, "plan");
  ConversionPlan plan;
  plan.name = object.string("name", "");
  plan.description = object.string("description", "");
  const std::int64_t seed = object.integer("seed", 0);
  check(seed >= 0, "[plan] \"seed\": got ", seed, ", expected 0 to ", kLargestSeed);
  plan.seed = static_cast<std::uint64_t>(seed);
  if (object.has("calibration")) plan.calibration = calibration_from_json(object.object("calibration"));
  for (JsonObject& group : object.objects("layers")) read_group(group, plan);
  object.refuse_unknown_keys();
  return plan;
}

nlohmann::json plan_to_json(const ConversionPlan& plan) {
  nlohmann::json groups = nlohmann::json::array();
  write_groups(plan, "attention", &LayerPlan::attention, mla_to_json, groups);
  write_groups(plan, "feed_forward", &LayerPlan::feed_forward, moe_to_json, groups);
  return {{"name", plan.name},
          {"description", plan.description},
          {"seed", plan.seed},
          {"calibration",
           {{"text", plan.calibration.text},
            {"num_samples", plan.calibration.num_samples},
            {"seq_len", plan.calibration.seq_len}}},
          {"layers", groups}};
}

}  // namespace lathe
