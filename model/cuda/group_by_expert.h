#pragma once

#include <ATen/core/Tensor.h>

// M pairs of a token and a chosen expert, E experts

namespace lathe {

/// The pairs in the order of their expert; pairs of one expert keep their order.
struct ExpertGroups {
  at::Tensor order_M;  ///< int64; the pair at each sorted place
  at::Tensor place_M;  ///< int64; the sorted place of each pair, the inverse of order_M
  at::Tensor ends_E;   ///< int32; expert e has the sorted places [ends_E[e - 1], ends_E[e])
};

/// Groups pairs by expert with a counting sort, on the device of `experts_M` and without waiting for it.
/// Shapes: experts_M int64, each in [0, num_experts).
ExpertGroups group_by_expert(const at::Tensor& experts_M, std::int64_t num_experts);

/// The same on a GPU: a kernel where the program was built with a CUDA toolkit, LibTorch's operators where not.
ExpertGroups group_by_expert_on_gpu(const at::Tensor& experts_M, std::int64_t num_experts);

}  // namespace lathe
