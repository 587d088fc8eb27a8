#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lathe {

/// What a model's tensors say where Meta's params.json is silent.
struct MetaSizes {
  std::int64_t vocab_size = 0;
  std::int64_t intermediate_size = 0;
};

/// The `config.json` that Hugging Face has for a model of Meta's with this params.json: Llama 1, 2, 3, 3.1, 3.2
/// and 3.3. What had to be assumed is added to `warnings`, a sentence each. Throws Error (E_CONFIG) for a missing key,
/// a wrong type, or a kind of model that is not dense Llama. Source: llama-models, ModelArgs and FeedForward;
/// transformers, convert_llama_weights_to_hf.py.
nlohmann::json config_from_meta(const nlohmann::json& params, const MetaSizes& sizes, const std::filesystem::path& path,
                                std::vector<std::string>& warnings);

}  // namespace lathe
