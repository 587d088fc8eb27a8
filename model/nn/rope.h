#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/data/config.h"

namespace lathe {

// T tokens, F rotary pairs, K rotated dims = 2 F

/// Cosines and sines of the rotary angles, fp32 [T,F].
struct RopeTable {
  at::Tensor cos_TF, sin_TF;
};

/// The model's head_dim / 2 angular frequencies in radians per token, fp32 on the CPU, scaled as its config says.
/// Source: Hugging Face modeling_rope_utils (default, linear, llama3), in the same fp32 steps.
at::Tensor rope_frequencies(const ModelConfig& config);

/// Angles of `tokens` positions from `first_position` on.
RopeTable make_rope_table(const ModelConfig& config, std::int64_t first_position, std::int64_t tokens,
                          at::Device device);

/// The columns of `table` that the rotary pairs of an MLA layer turn with (AttentionConfig::rope_pairs).
RopeTable select_rope_pairs(const RopeTable& table, const std::vector<std::int64_t>& rope_pairs);

/// Turns the pairs (x[i], x[i + F]) of the last dimension. Shapes: x [...,T,K] -> the same.
at::Tensor apply_rope(const at::Tensor& x, const RopeTable& table);

}  // namespace lathe
