#include "model/train/loss.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/kl_div.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace lathe {
namespace {

HeadLossInput random_input(std::int64_t tokens, std::int64_t vocabulary, at::ScalarType dtype) {
  at::manual_seed(3);
  return {.hidden_ND = at::randn({tokens, 6}, dtype).set_requires_grad(true),
          .head_VD = at::randn({vocabulary, 6}, dtype).set_requires_grad(true),
          .targets_N = at::randint(vocabulary, {tokens}, at::kLong),
          .teacher_hidden_ND = {},
          .teacher_head_VD = {},
          .kl_weight = 0.0};
}

void add_teacher(HeadLossInput& input, double kl_weight) {
  input.teacher_hidden_ND = at::randn_like(input.hidden_ND).detach();
  input.teacher_head_VD = at::randn_like(input.head_VD).detach();
  input.kl_weight = kl_weight;
}

/// The same loss the plain way: all logits at once, gradients by autograd.
at::Tensor plain_loss(const HeadLossInput& input) {
  const at::Tensor log_p_NV = at::log_softmax(at::linear(input.hidden_ND, input.head_VD), -1);
  at::Tensor loss = at::cross_entropy_loss(log_p_NV, input.targets_N);
  if (!input.teacher_hidden_ND.defined()) return loss;
  const at::Tensor teacher_NV = at::log_softmax(at::linear(input.teacher_hidden_ND, input.teacher_head_VD), -1);
  const at::Tensor kl = at::kl_div(log_p_NV, teacher_NV, at::Reduction::Sum, /*log_target=*/true);
  return loss + kl * (input.kl_weight / static_cast<double>(input.hidden_ND.size(0)));
}

void expect_gradients_equal_plain(HeadLossInput input, double tolerance) {
  plain_loss(input).backward();
  const at::Tensor hidden_grad = input.hidden_ND.grad(), head_grad = input.head_VD.grad();
  input.hidden_ND.mutable_grad() = at::Tensor();
  input.head_VD.mutable_grad() = at::Tensor();
  head_loss(input).weighted.backward();
  EXPECT_TRUE(at::allclose(input.hidden_ND.grad(), hidden_grad, tolerance, tolerance));
  EXPECT_TRUE(at::allclose(input.head_VD.grad(), head_grad, tolerance, tolerance));
}

TEST(HeadLoss, InChunksEqualsTheWholeVocabularyAtOnce) {
  const HeadLossInput input = random_input(/*tokens=*/600, /*vocabulary=*/32768, at::kFloat);
  EXPECT_NEAR(head_loss(input).next_token.item<double>(), plain_loss(input).item<double>(), 1e-5);
  expect_gradients_equal_plain(input, 1e-5);
}

TEST(HeadLoss, WithATeacherEqualsCrossEntropyPlusWeightedKl) {
  HeadLossInput input = random_input(40, 30, at::kDouble);
  add_teacher(input, 0.7);
  const HeadLoss loss = head_loss(input);
  EXPECT_NEAR(loss.weighted.item<double>(), plain_loss(input).item<double>(), 1e-12);
  EXPECT_NEAR(loss.weighted.item<double>(), loss.next_token.item<double>() + 0.7 * loss.kl.item<double>(), 1e-12);
  expect_gradients_equal_plain(input, 1e-12);
}

TEST(HeadLoss, GradientEqualsFiniteDifferences) {
  HeadLossInput input = random_input(5, 7, at::kDouble);
  add_teacher(input, 0.3);
  head_loss(input).weighted.backward();
  constexpr double kStep = 1e-6;
  for (std::int64_t i = 0; i < 6; ++i) {
    SCOPED_TRACE(i);
    HeadLossInput up = input, down = input;
    up.hidden_ND = input.hidden_ND.detach().clone();
    down.hidden_ND = input.hidden_ND.detach().clone();
    up.hidden_ND[2][i] += kStep;
    down.hidden_ND[2][i] -= kStep;
    const double difference = head_loss(up).weighted.item<double>() - head_loss(down).weighted.item<double>();
    EXPECT_NEAR(input.hidden_ND.grad()[2][i].item<double>(), difference / (2 * kStep), 1e-8);
  }
}

TEST(HeadLoss, KlToItselfIsZeroAndPullsNowhere) {
  HeadLossInput input = random_input(40, 30, at::kDouble);
  input.teacher_hidden_ND = input.hidden_ND.detach();
  input.teacher_head_VD = input.head_VD.detach();
  input.kl_weight = 5.0;
  EXPECT_NEAR(head_loss(input).kl.item<double>(), 0.0, 1e-14);
  HeadLossInput alone = input;
  alone.teacher_hidden_ND = at::Tensor();
  plain_loss(alone).backward();
  const at::Tensor expected = input.hidden_ND.grad().clone();
  input.hidden_ND.mutable_grad() = at::Tensor();
  head_loss(input).weighted.backward();
  EXPECT_TRUE(at::allclose(input.hidden_ND.grad(), expected, 1e-10, 1e-12));
}

TEST(HeadLoss, AFrozenHeadGetsNoGradient) {
  HeadLossInput input = random_input(9, 12, at::kFloat);
  input.head_VD = input.head_VD.detach();
  head_loss(input).weighted.backward();
  EXPECT_TRUE(input.hidden_ND.grad().defined());
  EXPECT_FALSE(input.head_VD.grad().defined());
}

RouterRecord record_of(const at::Tensor& logits_NE, const at::Tensor& choice_NK) {
  return {.layer = 0, .logits_NE = logits_NE, .choice_NK = choice_NK, .weights_NK = {}};
}

at::Tensor balance(const at::Tensor& logits_NE, const at::Tensor& choice_NK, RouterKind router) {
  const RouterRecord record = record_of(logits_NE, choice_NK);
  return balance_loss(record, expert_counts(record), router);
}

TEST(BalanceLoss, IsOneAtUniformRouting) {
  const at::Tensor choice_NK = at::arange(16, at::kLong).remainder(8).view({8, 2});
  EXPECT_NEAR(balance(at::zeros({8, 8}), choice_NK, RouterKind::Softmax).item<double>(), 1.0, 1e-6);
  EXPECT_NEAR(balance(at::zeros({8, 8}), choice_NK, RouterKind::Sigmoid).item<double>(), 1.0, 1e-6);
}

TEST(BalanceLoss, IsExpertsOverChosenWhenTheSameTwoTakeAll) {
  at::Tensor logits_NE = at::zeros({5, 8});
  logits_NE.slice(1, 0, 2).fill_(40.0);
  const at::Tensor choice_NK = at::arange(2, at::kLong).repeat({5, 1});
  EXPECT_NEAR(balance(logits_NE, choice_NK, RouterKind::Softmax).item<double>(), 4.0, 1e-5);
}

TEST(BalanceLoss, EqualsItsFormulaAndPushesTheOverloadedExpertDown) {
  const at::Tensor logits_NE =
      at::tensor({1.0, 0.0, -1.0, 2.0, 0.5, 0.0}, at::kDouble).view({2, 3}).set_requires_grad(true);
  const at::Tensor choice_NK = at::zeros({2, 1}, at::kLong);
  const at::Tensor loss = balance(logits_NE, choice_NK, RouterKind::Softmax);
  const double first = std::exp(1.0) / (std::exp(1.0) + 1 + std::exp(-1.0));
  const double second = std::exp(2.0) / (std::exp(2.0) + std::exp(0.5) + 1);
  EXPECT_NEAR(loss.item<double>(), 3.0 * (first + second) / 2, 1e-7);
  loss.backward();
  EXPECT_GT(logits_NE.grad()[0][0].item<double>(), 0.0);
  EXPECT_LT(logits_NE.grad()[0][1].item<double>(), 0.0);
}

}  // namespace
}  // namespace lathe
