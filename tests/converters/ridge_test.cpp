#include "converters/ridge.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/converters/random_model.h"

namespace lathe {
namespace {

class Ridge : public ::testing::Test {
 protected:
  double largest(const at::Tensor& x) const { return x.abs().max().item<double>(); }

  at::Generator generator_ = at::make_generator<at::CPUGeneratorImpl>(2);
  const at::Tensor a_NI_ = 3.0 + at::randn({200, 5}, generator_, at::kFloat);
  const at::Tensor weight_OI_ = at::randn({4, 5}, generator_, at::kFloat);
  const at::Tensor bias_O_ = at::randn({4}, generator_, at::kFloat);
  const at::Tensor y_NO_ = a_NI_.matmul(weight_OI_.t()) + bias_O_;
  const at::Tensor other_OI_ = at::randn({4, 5}, generator_, at::kFloat);
};

TEST_F(Ridge, FindsAnExactSolutionWhateverThePrior) {
  CentredRidge ridge;
  ridge.add(a_NI_.narrow(0, 0, 120), y_NO_.narrow(0, 0, 120));
  ridge.add(a_NI_.narrow(0, 120, 80), y_NO_.narrow(0, 120, 80));
  const Linear found = ridge.solve(other_OI_, 0.0);
  EXPECT_LT(largest(found.weight_OI - weight_OI_), 1e-4);
  EXPECT_LT(largest(found.bias_O - bias_O_), 1e-3);
}

TEST_F(Ridge, StaysAtAPriorThatIsExactAndAtAnyPriorWithAnEndlessShare) {
  CentredRidge ridge;
  ridge.add(a_NI_, y_NO_);
  EXPECT_LT(largest(ridge.solve(weight_OI_, 0.5).weight_OI - weight_OI_), 1e-5);
  EXPECT_LT(largest(ridge.solve(other_OI_, 1e9).weight_OI - other_OI_), 1e-5);
}

TEST_F(Ridge, KeepsThePriorWhereInputsNeverVary) {
  CentredRidge ridge;
  ridge.add(at::zeros({50, 5}), y_NO_.narrow(0, 0, 50));
  const Linear found = ridge.solve(other_OI_, 0.01);
  EXPECT_LT(largest(found.weight_OI - other_OI_), 1e-6);
  EXPECT_LT(largest(found.bias_O - y_NO_.narrow(0, 0, 50).mean(0)), 1e-5);
}

// At the minimum of |y - W a - b|^2 + lambda |W - prior|^2 no step in any direction makes it smaller.
TEST_F(Ridge, IsAMinimum) {
  CentredRidge ridge;
  const at::Tensor noisy_NO = y_NO_ + at::randn({200, 4}, generator_, at::kFloat);
  ridge.add(a_NI_, noisy_NO);
  const Linear found = ridge.solve(other_OI_, 0.3);
  const at::Tensor a = a_NI_.to(at::kDouble), y = noisy_NO.to(at::kDouble), prior = other_OI_.to(at::kDouble);
  const double lambda = 0.3 * a.var(0, /*unbiased=*/false).mean().item<double>();
  const auto cost = [&](const Linear& at_) {
    return (y - a.matmul(at_.weight_OI.t()) - at_.bias_O).square().sum(1).mean().item<double>() +
           lambda * (at_.weight_OI - prior).square().sum().item<double>();
  };
  const double least = cost(found);
  for (int step = 0; step < 20; ++step) {
    const Linear moved{found.weight_OI + 1e-3 * at::randn({4, 5}, generator_, at::kDouble),
                       found.bias_O + 1e-3 * at::randn({4}, generator_, at::kDouble)};
    EXPECT_GT(cost(moved), least);
  }
}

}  // namespace
}  // namespace lathe
