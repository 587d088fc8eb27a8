#pragma once

#include <cstdint>
#include <vector>

#include "converters/mla/merged_attention.h"

namespace lathe {

// E = 2 L - P width of [position-free key; value], R kv_lora_rank

/// Divides the position-free key by the ratio of its size to the value's, and multiplies what reads it by the same, so
/// that neither dominates the joint low rank: changes nothing that the layer computes. The ratio is that of the
/// reference code: mean over dims of the root of the summed squares, values counted from dim P on, times `ratio`.
/// Source: TransMLA, arXiv:2502.07864, section 4.3 (balanced key-value).
MergedAttention balance(const MergedAttention& attention, double ratio);

/// An attention whose position-free key and value z pass through R dims: the latent is encode z, and decode makes of it
/// what is nearest to z.
struct LowRankAttention {
  MergedAttention attention;  ///< key and value are what decode gives
  at::Tensor encode_RE;
  at::Tensor decode_ER;
  std::vector<float> eigenvalues;  ///< of the (weighted) joint second moment, all E of them, descending
};

/// Keeps the R principal components of [position-free key; value] over the calibration tokens. The squared error per
/// token is the sum of the other eigenvalues.  Source: TransMLA, section 4.3 (activation-based joint PCA).
LowRankAttention cut_rank(const MergedAttention& attention, std::int64_t rank);

/// Keeps the R components whose loss would change what the model says most: z is weighted with the root of the Fisher
/// moment F (its own diagonal grown by 5 %), decode = F^-1/2 U and encode = U^T F^1/2 for the top eigenvectors U of
/// F^1/2 E[z z^T] F^1/2. Needs fisher_MM; the Fisher-weighted error per token is the sum of the other eigenvalues.
LowRankAttention cut_rank_by_fisher(const MergedAttention& attention, std::int64_t rank);

/// The MLA layer that computes the same: decompression absorbed into kv_b, the rotated key basis into the queries,
/// which are scaled by sqrt((N + P) / K) because MLA divides scores by sqrt(N + P) and the original by sqrt(K).
LatentAttention absorb(const LowRankAttention& low_rank, at::ScalarType dtype);

}  // namespace lathe
