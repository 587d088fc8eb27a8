#pragma once

#include "converters/moe/method.h"

namespace lathe {

/// Drop-Upcycling: every expert is a copy of the dense block in which a random share `drop_ratio` of the intermediate
/// neurons is drawn anew from N(mean, std^2) of the very weights that are replaced, one mean and std for each tensor.
/// Index mode Shared (the paper) replaces the same neurons in gate, up and down; Independent (the authors' code, which
/// their results come from) draws the neurons of each tensor for itself, so that only (1 - ratio)^3 of them stay whole.
/// Source: Nakamura et al., arXiv:2502.19261; conversions/drop_upcycling.py.
MoeFeedForward drop_upcycling(const FeedForwardTask& task);

}  // namespace lathe
