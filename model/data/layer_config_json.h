#pragma once

#include <nlohmann/json.hpp>

#include "model/data/config.h"
#include "model/data/json_object.h"

namespace lathe {

/// Reads one item of "layers" in a "lathe" config.json:
///   {"attention": {"kind": "mla", "kv_lora_rank": 96, ...}, "feed_forward": {"kind": "moe", "num_experts": 8, ...}}.
/// A part that is absent is what Llama has (gqa, dense). `model` gives the sizes to check against.
/// Throws Error for an unknown key, a wrong type or an impossible size.
LayerConfig layer_config_from_json(JsonObject& json, const ModelConfig& model);

/// Refuses groups of experts that do not divide them or hold fewer than are chosen.
void check_groups(const JsonObject& json, const FeedForwardConfig& moe);

nlohmann::json layer_config_to_json(const LayerConfig& layer);

}  // namespace lathe
