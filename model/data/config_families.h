#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/data/config.h"
#include "model/data/json_object.h"

namespace lathe {

/// A `model_type` of Hugging Face: what its config.json says of layers, biases and norms beyond what all families
/// share.
struct ConfigFamily {
  std::string_view model_type;
  double default_rope_theta = 10000.0;
  /// Fills `layers` (of `num_hidden_layers`) and the flags of `config`, whose sizes are set already.
  void (*read)(JsonObject& json, std::int64_t num_hidden_layers, ModelConfig& config) = nullptr;
};

/// All that can be opened: llama, mistral, qwen2, mixtral, qwen2_moe, qwen3_moe, deepseek_v2, deepseek_v3,
/// glm4_moe_lite and lathe. A family more is a function in config_families.cpp and a row of its table.
std::span<const ConfigFamily> config_families();

/// The family of that model_type. Throws Error that lists all of them.
const ConfigFamily& config_family(JsonObject& json);

/// A size or count from 1 to 2^28. Throws Error.
std::int64_t size_from_json(JsonObject& json, const std::string& key, std::optional<std::int64_t> otherwise = {});

}  // namespace lathe
