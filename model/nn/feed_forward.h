#pragma once

#include <ATen/core/Tensor.h>

#include "model/nn/layer.h"

namespace lathe {

/// silu(gate) * up. Without gradients `gate` is overwritten: pass a fresh tensor.
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

/// down(silu(gate x) * up x) over the last dimension of x.  Source: Hugging Face LlamaMLP.
at::Tensor dense_feed_forward(const DenseFeedForward& weights, const at::Tensor& x);

}  // namespace lathe
