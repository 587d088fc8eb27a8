#pragma once

#include <cstdint>

#include "converters/mla/method.h"

namespace lathe {

/// How many passes of a window through the layer heal_attention costs, for `windows` of `tokens` each.
std::int64_t heal_passes(std::int64_t windows, std::int64_t tokens, std::int64_t steps);

/// Trains the attention of one converted layer, in fp32, until its output comes near to what the original attention
/// gives on the same inputs, those that passed the layers converted so far: `steps` steps of Adam on the squared error
/// of all tokens but each window's first, which sees nothing but itself. Every part learns in proportion to its own
/// size: rate 2e-3 x rms, warm-up of five steps, cosine to 0.
/// `converted` has fp32 attention and an o bias. Draws no random numbers: windows are taken in their order, again from
/// the first.
LatentAttention heal_attention(const AttentionTask& task, const Layer& converted, std::int64_t steps);

/// Gives each rotated pair of the shared key and of the queries the same size, which changes no score: a rate in
/// proportion to size then suits all pairs.
void even_out_pairs(LatentAttention& attention, const AttentionConfig& config);

}  // namespace lathe
