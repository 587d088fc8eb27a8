#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>

#include "model/nn/layer.h"

namespace lathe {

// B windows, T tokens of each, G key-value heads, K head_dim, M = 2 G K

/// Which layers, and the seed of the labels.
struct FisherTask {
  const Model& model;
  at::Tensor ids_BT;  ///< int64
  std::set<std::int64_t> layers;
  std::uint64_t seed = 0;
  /// Called with the number of layer passes since the last call; throws Cancelled to stop.
  std::function<void(std::int64_t passes)> tick;
};

/// A window's way forward and back costs so many passes of it through each layer.
inline constexpr std::int64_t kFisherPasses = 3;

/// For each layer E[g g^T], fp64 [M,M], where g = d NLL / d [key before RoPE; value] of one token, in the order of
/// k_proj's and v_proj's rows, and the labels are drawn from the model itself: how much a change of keys and values
/// moves its output, to second order. Memory is that of one window's backward pass.
/// Source: Fisher information, as in Kunstner et al., arXiv:1905.12558, section 3 (not the "empirical" one of labels
/// from the text).
std::map<std::int64_t, at::Tensor> fisher_moments(const FisherTask& task);

}  // namespace lathe
