#pragma once

#include "converters/moe/method.h"

namespace lathe {

/// Lathe's own split of a dense block: neurons that matter to most tokens become a shared expert that is always on, the
/// others many small experts that count whole, chosen by one linear router. Nothing is computed twice.
/// - Always on are the neurons of the largest mean |h| |w_down|. The others are grouped by how alike their activity is
///   over tokens (balanced_clusters of sqrt(|h| |w_down|), centred).
/// - The router is a ridge regression of each expert's log mass, sum of (h |w_down|)^2, on the block's input.
/// - W_down, a bias for each expert and a constant are solved anew, so that the stream after the block is what it was
/// in
///   the dense model, given the stream that the layers converted so far make: weighted least squares, each token by the
///   inverse of its residual's norm. Overfits short texts: 64 windows of 512 tokens and more are worth their time.
/// Exact, but for the rounding of the least squares, where every neuron is active.
MoeFeedForward lathe_moe(const FeedForwardTask& task);

}  // namespace lathe
