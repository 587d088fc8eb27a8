#include "model/data/receipt.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/data/json_object.h"

namespace lathe {
namespace {

constexpr const char* kParts[] = {"attention", "feed_forward"};

nlohmann::json sizes_to_json(const Sizes& sizes) {
  return {{"params", sizes.params},
          {"active_params", sizes.active_params},
          {"kv_values_per_token", sizes.kv_values_per_token}};
}

Sizes sizes_from_json(JsonObject json) {
  Sizes sizes;
  sizes.params = json.integer("params");
  sizes.active_params = json.integer("active_params");
  sizes.kv_values_per_token = json.integer("kv_values_per_token");
  json.refuse_unknown_keys();
  return sizes;
}

LayerPart part_from_json(JsonObject& json) {
  const std::string part = json.string("part");
  check(part == kParts[0] || part == kParts[1], "[", json.where(), "] \"part\": got \"", part,
        "\", expected attention or feed_forward");
  return part == kParts[0] ? LayerPart::Attention : LayerPart::FeedForward;
}

LatentSpectrum spectrum_from_json(JsonObject json, std::int64_t layer) {
  LatentSpectrum spectrum;
  spectrum.layer = layer;
  spectrum.kept_rank = json.integer("kept_rank");
  for (const double value : json.numbers("eigenvalues")) spectrum.eigenvalues.push_back(static_cast<float>(value));
  json.refuse_unknown_keys();
  return spectrum;
}

nlohmann::json healing_to_json(const Healing& healing) {
  nlohmann::json json{{"steps", healing.steps}, {"nll", healing.nll}};
  if (healing.nll_original) json["nll_original"] = *healing.nll_original;
  return json;
}

Healing healing_from_json(JsonObject json) {
  Healing healing;
  healing.steps = json.integer("steps");
  healing.nll = json.number("nll");
  if (json.has("nll_original")) healing.nll_original = json.number("nll_original");
  json.refuse_unknown_keys();
  return healing;
}

LayerReceipt layer_receipt_from_json(JsonObject json) {
  LayerReceipt layer;
  layer.layer = json.integer("layer");
  layer.part = part_from_json(json);
  layer.method = json.string("method");
  for (JsonObject& stage : json.objects("stages")) {
    layer.stages.push_back({stage.string("stage"), stage.number("relative_error")});
    stage.refuse_unknown_keys();
  }
  layer.relative_error = json.number("relative_error");
  layer.params_before = json.integer("params_before");
  layer.params_after = json.integer("params_after");
  layer.kv_values_before = json.integer("kv_values_before");
  layer.kv_values_after = json.integer("kv_values_after");
  layer.seconds = json.number("seconds");
  if (json.has("spectrum")) layer.spectrum = spectrum_from_json(json.object("spectrum"), layer.layer);
  json.refuse_unknown_keys();
  return layer;
}

// All but the earlier ones; `json` is what `object` reads.
Receipt read_receipt(JsonObject& object, const nlohmann::json& json) {
  Receipt receipt;
  object.object("plan");  // must be there and an object
  receipt.plan = plan_from_json(json["plan"]);
  for (JsonObject& layer : object.objects("layers")) receipt.layers.push_back(layer_receipt_from_json(layer));
  receipt.nll_before = object.number("nll_before");
  receipt.nll_after = object.number("nll_after");
  receipt.eval_tokens = object.integer("eval_tokens");
  receipt.sizes_before = sizes_from_json(object.object("sizes_before"));
  receipt.sizes_after = sizes_from_json(object.object("sizes_after"));
  receipt.kv_bytes_per_token_before = object.integer("kv_bytes_per_token_before");
  receipt.kv_bytes_per_token_after = object.integer("kv_bytes_per_token_after");
  receipt.seconds = object.number("seconds");
  const std::int64_t seed = object.integer("seed");
  check(seed >= 0, "[receipt] \"seed\": got ", seed, ", expected 0 or more");
  receipt.seed = static_cast<std::uint64_t>(seed);
  receipt.calibration_sha256 = object.string("calibration_sha256");
  receipt.calibration_tokens = object.integer("calibration_tokens");
  receipt.model_sha256 = object.string("model_sha256");
  receipt.device = object.string("device");
  receipt.dtype = object.string("dtype");
  receipt.code_version = object.string("code_version");
  if (object.has("healing")) receipt.healing = healing_from_json(object.object("healing"));
  return receipt;
}

const LayerReceipt* find_newest(const std::vector<LayerReceipt>& layers, std::int64_t layer, LayerPart part) {
  const auto found = std::find_if(layers.rbegin(), layers.rend(), [&](const LayerReceipt& receipt) {
    return receipt.layer == layer && receipt.part == part;
  });
  return found == layers.rend() ? nullptr : &*found;
}

}  // namespace

Receipt receipt_after(const std::optional<Receipt>& before, Receipt receipt) {
  if (!before) return receipt;
  receipt.earlier = before->earlier;
  receipt.earlier.push_back(*before);
  receipt.earlier.back().earlier.clear();
  return receipt;
}

const LayerReceipt* find_layer(const Receipt& receipt, std::int64_t layer, LayerPart part) {
  const LayerReceipt* found = find_newest(receipt.layers, layer, part);
  for (auto earlier = receipt.earlier.rbegin(); found == nullptr && earlier != receipt.earlier.rend(); ++earlier) {
    found = find_newest(earlier->layers, layer, part);
  }
  return found;
}

nlohmann::json layer_receipt_to_json(const LayerReceipt& layer) {
  nlohmann::json stages = nlohmann::json::array();
  for (const StageCost& stage : layer.stages)
    stages.push_back({{"stage", stage.stage}, {"relative_error", stage.relative_error}});
  nlohmann::json json{{"layer", layer.layer},
                      {"part", kParts[layer.part == LayerPart::FeedForward]},
                      {"method", layer.method},
                      {"stages", stages},
                      {"relative_error", layer.relative_error},
                      {"params_before", layer.params_before},
                      {"params_after", layer.params_after},
                      {"kv_values_before", layer.kv_values_before},
                      {"kv_values_after", layer.kv_values_after},
                      {"seconds", layer.seconds}};
  if (!layer.spectrum.eigenvalues.empty())
    json["spectrum"] = {{"kept_rank", layer.spectrum.kept_rank}, {"eigenvalues", layer.spectrum.eigenvalues}};
  return json;
}

nlohmann::json receipt_to_json(const Receipt& receipt) {
  nlohmann::json layers = nlohmann::json::array();
  for (const LayerReceipt& layer : receipt.layers) layers.push_back(layer_receipt_to_json(layer));
  nlohmann::json json{{"plan", plan_to_json(receipt.plan)},
                      {"layers", layers},
                      {"nll_before", receipt.nll_before},
                      {"nll_after", receipt.nll_after},
                      {"eval_tokens", receipt.eval_tokens},
                      {"sizes_before", sizes_to_json(receipt.sizes_before)},
                      {"sizes_after", sizes_to_json(receipt.sizes_after)},
                      {"kv_bytes_per_token_before", receipt.kv_bytes_per_token_before},
                      {"kv_bytes_per_token_after", receipt.kv_bytes_per_token_after},
                      {"seconds", receipt.seconds},
                      {"seed", receipt.seed},
                      {"calibration_sha256", receipt.calibration_sha256},
                      {"calibration_tokens", receipt.calibration_tokens},
                      {"model_sha256", receipt.model_sha256},
                      {"device", receipt.device},
                      {"dtype", receipt.dtype},
                      {"code_version", receipt.code_version}};
  if (receipt.healing) json["healing"] = healing_to_json(*receipt.healing);
  for (const Receipt& earlier : receipt.earlier) json["earlier"].push_back(receipt_to_json(earlier));
  return json;
}

Receipt receipt_from_json(const nlohmann::json& json) {
  JsonObject object(json, "receipt");
  Receipt receipt = read_receipt(object, json);
  if (object.has("earlier")) {
    std::size_t place = 0;
    for (JsonObject& earlier : object.objects("earlier")) {
      receipt.earlier.push_back(read_receipt(earlier, json["earlier"][place++]));
      earlier.refuse_unknown_keys();
    }
  }
  object.refuse_unknown_keys();
  return receipt;
}

}  // namespace lathe
