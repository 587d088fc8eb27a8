#include "converters/relative_error.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>

#include <cmath>
#include <utility>

#include "model/data/error.h"

namespace lathe {

void RelativeError::add(const at::Tensor& y, const at::Tensor& y_hat) {
  const at::Tensor y_double = y.to(at::kDouble);
  const at::Tensor lost = (y_double - y_hat.to(at::kDouble)).square().sum();
  const at::Tensor whole = y_double.square().sum();
  lost_ = lost_.defined() ? lost_ + lost : lost;
  whole_ = whole_.defined() ? whole_ + whole : whole;
}

double RelativeError::value() const {
  if (!lost_.defined()) return 0.0;
  const double lost = lost_.item<double>();
  return lost == 0.0 ? 0.0 : std::sqrt(lost / whole_.item<double>());
}

StageCost RelativeError::cost_of(std::string stage, std::int64_t index) const {
  const double error = value();
  check(std::isfinite(error), "[convert] layer ", index, ", stage \"", stage, "\": the relative error is ", error,
        ", expected a finite number; the activations of this text overflow the model's dtype, or its weights are "
        "damaged: try f32");
  return {std::move(stage), error};
}

}  // namespace lathe
