#pragma once

#include <nlohmann/json.hpp>

#include "model/io/gguf_parts.h"

namespace lathe {

/// The `config.json` that Hugging Face has for a GGUF model: of architecture "llama" llama, mistral or mixtral; of
/// "qwen2", "qwen2moe", "qwen3moe" the same; of "deepseek2" deepseek_v2 or deepseek_v3. Read it with config_from_json.
/// Throws Error for another architecture, a missing key, or rope scaling that Lathe does not know.
nlohmann::json config_from_gguf(const GgufParts& parts);

}  // namespace lathe
