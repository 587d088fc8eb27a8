#include "model/nn/few_rows.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>

#include <array>
#include <tuple>

#include "model/nn/linear.h"
#include "tests/nn/tiny_models.h"

namespace lathe {
namespace {

using Sizes3 = std::array<std::int64_t, 3>;  // rows, inputs, outputs

class FewRows : public testing::TestWithParam<std::tuple<at::ScalarType, Sizes3>> {
 protected:
  void SetUp() override {
    if (!has_few_rows_kernel(dtype_)) GTEST_SKIP() << "this processor has no instructions for " << dtype_;
  }

  at::Tensor random(at::IntArrayRef shape) const { return at::randn(shape).to(dtype_); }

  // bf16 keeps 8 bits of the result; sums are fp32 in both.
  double tolerance(const at::Tensor& expected) const {
    return expected.abs().max().item<double>() * (dtype_ == at::kFloat ? 2e-6 : 4e-3);
  }

  const at::ScalarType dtype_ = std::get<0>(GetParam());
  const std::int64_t rows_ = std::get<1>(GetParam())[0];
  const std::int64_t inputs_ = std::get<1>(GetParam())[1];
  const std::int64_t outputs_ = std::get<1>(GetParam())[2];
};

TEST_P(FewRows, EqualTheProductInFp32) {
  const at::NoGradGuard no_grad;
  const Linear linear{random({outputs_, inputs_}), random({outputs_})};
  const at::Tensor x = random({rows_, inputs_});
  const at::Tensor expected =
      at::linear(x.to(at::kFloat), linear.weight_OI.to(at::kFloat), linear.bias_O.to(at::kFloat));

  const at::Tensor y = apply(linear, x);

  EXPECT_EQ(y.scalar_type(), dtype_);
  EXPECT_THAT(y, IsNear(expected, tolerance(expected)));
}

TEST_P(FewRows, SeveralProductsInOnePassEqualEachByItself) {
  const at::NoGradGuard no_grad;
  const Linear first{random({outputs_, inputs_}), {}};
  const Linear second{random({3, inputs_}), random({3})};
  const Linear third{random({2 * outputs_, inputs_}), {}};
  const at::Tensor x = random({1, rows_, inputs_});

  const std::vector<at::Tensor> together = apply_all({&first, &second, &third}, x);

  EXPECT_THAT(together[0], IsNear(apply(first, x), 0));
  EXPECT_THAT(together[1], IsNear(apply(second, x), 0));
  EXPECT_THAT(together[2], IsNear(apply(third, x), 0));
}

INSTANTIATE_TEST_SUITE_P(Shapes, FewRows,
                         testing::Combine(testing::Values(at::kFloat, at::kBFloat16),
                                          testing::Values(Sizes3{1, 576, 1536}, Sizes3{1, 1, 1}, Sizes3{1, 33, 5},
                                                          Sizes3{2, 127, 9}, Sizes3{3, 64, 2}, Sizes3{4, 31, 300},
                                                          Sizes3{1, 1536, 577})));

TEST(Linear, GradientsFlowThroughFewRows) {
  const Linear linear{at::randn({5, 7}).requires_grad_(), {}};
  at::Tensor x = at::randn({1, 7}).requires_grad_();

  apply(linear, x).sum().backward();

  EXPECT_THAT(x.grad(), IsNear(linear.weight_OI.sum(0, /*keepdim=*/true), 1e-6));
  EXPECT_THAT(linear.weight_OI.grad(), IsNear(x.expand({5, 7}), 1e-6));
}

}  // namespace
}  // namespace lathe
