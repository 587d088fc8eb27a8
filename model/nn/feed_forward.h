#pragma once

#include <ATen/core/Tensor.h>

#include "model/nn/layer.h"

namespace lathe {

/// down(silu(gate x) * up x) over the last dimension of x.  Source: Hugging Face LlamaMLP.
at::Tensor dense_feed_forward(const DenseFeedForward& weights, const at::Tensor& x);

}  // namespace lathe
