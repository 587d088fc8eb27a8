#include "model/nn/rms_norm.h"

#include <ATen/ops/mul.h>
#include <ATen/ops/rms_norm.h>

namespace lathe {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight_D, double eps) {
  const at::IntArrayRef normalized = weight_D.sizes();
  if (x.scalar_type() == at::kFloat) return at::rms_norm(x, normalized, weight_D, eps);
  // The fused operator would multiply by the weight before it rounds.
  return at::mul(at::rms_norm(x.to(at::kFloat), normalized, {}, eps).to(x.scalar_type()), weight_D);
}

}  // namespace lathe
