#pragma once

#include <cstdint>
#include <vector>

#include "converters/mla/merged_attention.h"
#include "model/data/plan.h"

namespace lathe {

/// RoRoPE: in each group of `freqfold` adjacent frequencies, rotates the pairs of all key-value heads into their
/// principal components over the calibration tokens, first and second parts of the pairs by the same real matrix, which
/// therefore commutes with RoPE. Pairs that will keep RoPE come first, in the order of planned_rope_pairs().
/// Exact for freqfold 1; larger ones mix frequencies that turn at slightly different speeds.
/// Source: TransMLA, arXiv:2502.07864, section 4.2 (RoRoPE and FreqFold).
MergedAttention rotate_pairs(const MergedAttention& attention, const MlaPlan& plan, const ModelConfig& config);

/// Takes RoPE off all but the first `kept` pairs; the others become position-free (NoPE) keys behind the rotated ones.
/// This is what makes one rope key for all heads, and is not exact.
MergedAttention drop_rope(const MergedAttention& attention, std::int64_t kept);

}  // namespace lathe
