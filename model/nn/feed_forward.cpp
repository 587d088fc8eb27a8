#include "model/nn/feed_forward.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/silu.h>

#include "model/nn/linear.h"

namespace lathe {

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  if (!is_inference()) return at::silu(gate) * up;
  at::Tensor result = gate;
  return at::silu_(result).mul_(up);
}

at::Tensor dense_feed_forward(const DenseFeedForward& weights, const at::Tensor& x) {
  const std::vector<at::Tensor> gate_up = apply_all({&weights.gate, &weights.up}, x);
  return apply(weights.down, swiglu(gate_up[0], gate_up[1]));
}

}  // namespace lathe
