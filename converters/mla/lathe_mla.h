#pragma once

#include "converters/mla/method.h"

namespace lathe {

/// Lathe's own: merge -> rotate -> partial rope -> low rank -> refit (-> heal), the error measured after each.
/// Rotate and partial rope keep RoPE where scores would lose most without it, frequency by frequency, any number of
/// times each, and give the rest RoPE's mean turn; the layer gets a list of frequencies of its own. Low rank keeps what
/// matters to the model's output (Fisher moment of the original model). Refit solves o_proj, with a bias, so that the
/// block gives on the stream of the layers converted so far what the original attention would give on it.
/// Heal trains the block to that same end for a few steps, and refits; see heal_attention.h.
/// Exact where every pair keeps RoPE and the rank is full, but for the rounding of the ridge regression.
AttentionResult lathe_mla(const AttentionTask& task);

}  // namespace lathe
