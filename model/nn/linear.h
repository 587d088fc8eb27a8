#pragma once

#include <ATen/core/Tensor.h>

#include "model/nn/layer.h"

namespace lathe {

/// x W^T + b over the last dimension of x. Differentiable; few rows on the CPU without gradients take a kernel of our
/// own (few_rows.h).
at::Tensor apply(const Linear& linear, const at::Tensor& x);

}  // namespace lathe
