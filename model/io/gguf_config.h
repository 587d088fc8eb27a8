#pragma once

#include <nlohmann/json.hpp>

#include "model/io/gguf.h"

namespace lathe {

/// The `config.json` that Hugging Face has for a GGUF file of architecture "llama".
/// Throws Error for another architecture, a missing key, a mixture of experts, or rope scaling that Lathe does not
/// know.
nlohmann::json config_from_gguf(const GgufFile& file);

}  // namespace lathe
