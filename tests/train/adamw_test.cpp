#include "model/train/adamw.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lathe {
namespace {

TEST(AdamW, EqualsTheFormulaOfThePaper) {
  at::manual_seed(1);
  const AdamWOptions options{.beta1 = 0.8, .beta2 = 0.9, .eps = 1e-6, .weight_decay = 0.1};
  const std::vector<at::Tensor> weights = {at::randn({4, 3}), at::randn({5})};
  std::vector<at::Tensor> expected, first, second;
  for (const at::Tensor& weight : weights) {
    expected.push_back(weight.to(at::kDouble));
    first.push_back(at::zeros_like(expected.back()));
    second.push_back(at::zeros_like(expected.back()));
  }
  AdamW optimizer(weights, options);
  for (int t = 1; t <= 5; ++t) {
    const double lr = 0.01 * t;
    const std::vector<at::Tensor> grads = {at::randn({4, 3}), at::randn({5})};
    optimizer.step(grads, lr, at::zeros({}));
    for (std::size_t i = 0; i < 2; ++i) {
      const at::Tensor grad = grads[i].to(at::kDouble);
      first[i] = first[i] * 0.8 + grad * 0.2;
      second[i] = second[i] * 0.9 + grad * grad * 0.1;
      const at::Tensor step =
          (first[i] / (1 - std::pow(0.8, t))) / ((second[i] / (1 - std::pow(0.9, t))).sqrt() + 1e-6);
      const double decay = i == 0 ? 0.1 : 0.0;  // the vector does not decay
      expected[i] = expected[i] * (1 - lr * decay) - step * lr;
    }
  }
  EXPECT_TRUE(at::allclose(weights[0].to(at::kDouble), expected[0], 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(weights[1].to(at::kDouble), expected[1], 1e-5, 1e-6));
}

TEST(AdamW, ASkippedStepChangesNothingEvenWithGradientsThatAreNotFinite) {
  at::Tensor weight = at::ones({3, 2});
  AdamW optimizer({weight}, {});
  const at::Tensor infinite = at::full({3, 2}, std::numeric_limits<float>::infinity());
  optimizer.step({infinite}, 0.1, at::ones({}));
  EXPECT_TRUE(at::equal(weight, at::ones({3, 2})));
  EXPECT_EQ(optimizer.updates().item<float>(), 0.0F);
  EXPECT_TRUE(at::equal(optimizer.first_moments()[0], at::zeros({3, 2})));

  optimizer.step({at::ones({3, 2})}, 0.1, at::zeros({}));
  EXPECT_EQ(optimizer.updates().item<float>(), 1.0F);
  EXPECT_NEAR(weight[0][0].item<float>(), 0.9F, 1e-5F);
}

TEST(ClipToNorm, ScalesAllGradientsTogetherAndLeavesSmallOnes) {
  std::vector<at::Tensor> large = {at::full({4}, 3.0F), at::full({1}, 8.0F)};
  EXPECT_NEAR(global_norm(large).item<float>(), 10.0F, 1e-5F);
  clip_to_norm(large, global_norm(large), 2.0);
  EXPECT_NEAR(large[0][0].item<float>(), 0.6F, 1e-5F);
  EXPECT_NEAR(large[1][0].item<float>(), 1.6F, 1e-5F);

  std::vector<at::Tensor> small = {at::full({4}, 0.5F)};
  clip_to_norm(small, global_norm(small), 2.0);
  EXPECT_EQ(small[0][0].item<float>(), 0.5F);
}

}  // namespace
}  // namespace lathe
