#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <vector>

#include "model/nn/layer.h"

namespace lathe {

/// Whether no gradient can flow into or out of an operation now, so that kernels without a backward may run and fresh
/// tensors may be changed in place.
bool is_inference();

/// x W^T + b over the last dimension of x. Differentiable; few rows on the CPU without gradients take a kernel of our
/// own (few_rows.h).
at::Tensor apply(const Linear& linear, const at::Tensor& x);

/// The same for several products of one input, which then share one pass over the threads.
std::vector<at::Tensor> apply_all(std::initializer_list<const Linear*> linears, const at::Tensor& x);

}  // namespace lathe
