#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "model/data/config.h"
#include "model/io/gguf_hparams.h"

namespace lathe {

/// The unscaled RoPE: a pair of dims of a head turns with each of head_dim / 2 frequencies.
struct Rotation {
  double theta = 0.0;
  std::int64_t head_dim = 0;
};

/// `rope_scaling` as Hugging Face has it, or null. Throws Error for a scaling that Lathe does not know.
nlohmann::json rope_scaling_from_gguf(const GgufHparams& hparams, const Rotation& rotation);

/// By how much Llama 3 divides each of the head's frequencies: GGUF's tensor rope_freqs.
/// Source: transformers modeling_rope_utils.py, llama3, and llama.cpp conversion/llama.py.
std::vector<float> llama3_divisors(const RopeScaling& scaling, const Rotation& rotation);

}  // namespace lathe
