#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace lathe {

/// What to write and how to choose each token. Definitions and order of the filters are Hugging Face's.
struct GenerateSettings {
  std::string prompt;
  bool chat = false;  ///< wrap the prompt in the model's chat template
  std::int64_t max_new_tokens = 128;
  double temperature = 0.0;  ///< 0: greedy
  std::int64_t top_k = 0;    ///< 0: off
  double top_p = 1.0;
  double min_p = 0.0;
  double repetition_penalty = 1.0;
  std::uint64_t seed = 0;
  std::vector<std::string> stop;  ///< text at which writing ends; not part of the result

  bool operator==(const GenerateSettings&) const = default;
};

/// One sentence for each value out of range; empty if all is well.
std::vector<std::string> generate_problems(const GenerateSettings& settings);

nlohmann::json generate_settings_to_json(const GenerateSettings& settings);
GenerateSettings generate_settings_from_json(const nlohmann::json& json);

}  // namespace lathe
