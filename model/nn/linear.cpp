#include "model/nn/linear.h"

#include <ATen/ops/linear.h>

namespace lathe {

at::Tensor apply(const Linear& linear, const at::Tensor& x) {
  return at::linear(x, linear.weight_OI, linear.bias_O.defined() ? std::optional(linear.bias_O) : std::nullopt);
}

}  // namespace lathe
