#include "converters/ridge.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/outer.h>

namespace lathe {
namespace {

constexpr double kLeastRidge = 1e-30;

void accumulate(at::Tensor& sum, const at::Tensor& value) {
  sum = sum.defined() ? sum.add_(value.to(at::kDouble)) : value.to(at::kDouble);
}

}  // namespace

void CentredRidge::add(const at::Tensor& a_NI, const at::Tensor& y_NO) {
  const at::Tensor a = a_NI.to(at::kFloat), y = y_NO.to(at::kFloat);
  accumulate(aa_II_, a.t().matmul(a));
  accumulate(ay_IO_, a.t().matmul(y));
  accumulate(a_I_, a.sum(0, /*keepdim=*/false, at::kDouble));
  accumulate(y_O_, y.sum(0, /*keepdim=*/false, at::kDouble));
  rows_ += a.size(0);
}

Linear CentredRidge::solve(const at::Tensor& prior_OI, double share) const {
  const auto rows = static_cast<double>(rows_);
  const at::Tensor mean_a_I = a_I_ / rows, mean_y_O = y_O_ / rows;
  const at::Tensor aa_II = aa_II_ / rows - at::outer(mean_a_I, mean_a_I);
  const at::Tensor ay_IO = ay_IO_ / rows - at::outer(mean_a_I, mean_y_O);
  // Inputs that never vary leave the prior as it is.
  const at::Tensor lambda = (aa_II.diagonal().mean() * share).clamp_min(kLeastRidge);
  const at::Tensor prior_IO = prior_OI.to(at::kDouble).t();
  const at::Tensor identity_II = at::eye(aa_II.size(0), aa_II.options());
  const at::Tensor weight_OI = at::linalg_solve(aa_II + lambda * identity_II, ay_IO + lambda * prior_IO).t();
  return {weight_OI.contiguous(), mean_y_O - weight_OI.mv(mean_a_I)};
}

}  // namespace lathe
