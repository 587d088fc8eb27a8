#include "model/nn/feed_forward.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/silu.h>

#include "model/nn/linear.h"

namespace lathe {

at::Tensor dense_feed_forward(const DenseFeedForward& weights, const at::Tensor& x) {
  return apply(weights.down, at::silu(apply(weights.gate, x)) * apply(weights.up, x));
}

}  // namespace lathe
