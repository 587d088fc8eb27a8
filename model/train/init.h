#pragma once

#include <cstdint>

#include "model/nn/layer.h"

namespace lathe {

/// A new model: matrices normal with standard deviation 0.02, those that write into the residual stream divided by
/// sqrt(2 num_layers), norms 1, biases 0. f32 on the CPU; the same seed gives the same weights everywhere.
/// Source: GPT-2 (Radford et al. 2019, section 2.3) as Hugging Face's `initializer_range` has it.
Model init_model(const ModelConfig& config, std::uint64_t seed);

}  // namespace lathe
