#pragma once

#include "converters/moe/method.h"

namespace lathe {

/// Sparse upcycling: every expert is a copy of the dense block, plus normal noise of `noise` times the standard
/// deviation of each tensor, drawn anew for every expert so that training can tell them apart. Exact with renormalised
/// weights and no noise, whatever the router does. Source: Komatsuzaki et al., arXiv:2212.05055.
MoeFeedForward copy_experts(const FeedForwardTask& task);

}  // namespace lathe
