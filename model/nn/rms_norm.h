#pragma once

#include <ATen/core/Tensor.h>

namespace lathe {

/// x / sqrt(mean(x^2) + eps) over the last dimension, in fp32, rounded to x's dtype, times weight.
/// Shapes: x [..., D], weight_D -> [..., D].  Source: Hugging Face LlamaRMSNorm, whose order of roundings it keeps.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight_D, double eps);

}  // namespace lathe
