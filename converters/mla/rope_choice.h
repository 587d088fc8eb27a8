#pragma once

#include <cstdint>

#include "converters/mla/merged_attention.h"

namespace lathe {

// F = K / 2 frequencies of a head, J = G * F pairs of all key-value heads, X = D + 1 inputs with a one

/// What a key loses that stops turning with its distance d to the query. Distances up to the context's length count by
/// 1 / (d + 1), so that near ones matter most, as they do to attention.
struct MeanTurn {
  at::Tensor cos_F, sin_F;  ///< of the mean of e^(-i d theta): the fixed turn that is nearest
  at::Tensor spread_F;      ///< mean |e^(-i d theta) - mean|^2: 0 for what hardly turns, 1 for what turns fast
};
MeanTurn mean_turn(const ModelConfig& config, std::int64_t context_length);

/// Root mean square of the queries that read each pair, [J] as the first half of the merged key: of a key-value head
/// all its query heads together. `inputs_XX` is E[x x^T].
at::Tensor query_sizes(const MergedAttention& attention, const at::Tensor& inputs_XX);

/// Turns the pairs of equal frequency, as complex numbers over the heads, into the principal components of the scores
/// that they make: keys are weighted by the sizes of their queries, which are divided by the same. It commutes with
/// RoPE, so that nothing is lost. Components come in the order of what they would lose without RoPE, most first:
/// eigenvalue times spread. rope_pairs says which frequency each turns with.
MergedAttention rotate_for_queries(const MergedAttention& attention, const at::Tensor& sizes_J, const MeanTurn& turn);

/// Takes RoPE off all but the first `kept` pairs, as drop_rope(), and turns them by the mean of what RoPE did.
MergedAttention drop_rope_to_mean(const MergedAttention& attention, std::int64_t kept, const MeanTurn& turn);

}  // namespace lathe
