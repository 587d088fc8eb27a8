#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "model/nn/layer.h"

namespace lathe {

// N tokens, I inputs, O outputs

/// Least squares of y = W a + b that is drawn to a W which is known to be good. Sums in fp64; memory is I (I + O).
class CentredRidge {
 public:
  /// Rows of inputs a and of outputs y.
  void add(const at::Tensor& a_NI, const at::Tensor& y_NO);

  /// W' = argmin E|y - W a - b|^2 + lambda |W - prior|^2, where lambda is `share` of the inputs' mean variance, and
  /// b = E y - W' E a. fp64.
  Linear solve(const at::Tensor& prior_OI, double share) const;

 private:
  std::int64_t rows_ = 0;
  at::Tensor aa_II_, ay_IO_, a_I_, y_O_;
};

}  // namespace lathe
