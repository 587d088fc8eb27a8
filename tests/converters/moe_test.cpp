#include <ATen/ops/all.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cmath>

#include "converters/moe/copy.h"
#include "converters/moe/drop_upcycling.h"
#include "tests/converters/random_model.h"

namespace lathe {
namespace {

constexpr std::int64_t kHidden = 96;
constexpr std::int64_t kNeurons = 200;

// Mean and spread differ from tensor to tensor, so that a mix-up shows.
DenseFeedForward dense_block() {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(5);
  const auto matrix = [&](std::int64_t rows, std::int64_t columns, double mean, double std) {
    return Linear{mean + std * at::randn({rows, columns}, generator, at::kFloat), {}};
  };
  return {.gate = matrix(kNeurons, kHidden, 0.5, 2.0),
          .up = matrix(kNeurons, kHidden, -1.0, 0.5),
          .down = matrix(kHidden, kNeurons, 3.0, 0.1)};
}

MoeFeedForward make(FeedForwardMethod method, const MoePlan& plan, std::int64_t layer = 4, std::uint64_t seed = 11) {
  const DenseFeedForward dense = dense_block();
  return method({.dense = dense,
                 .index = layer,
                 .plan = plan,
                 .planned = {},
                 .seed = seed,
                 .tick = [](std::int64_t) {},
                 .note = {}});
}

at::Tensor gate_of(const MoeFeedForward& moe, std::int64_t expert) {
  return moe.experts_gate_up_E2FD.select(0, expert).narrow(0, 0, kNeurons);
}
at::Tensor up_of(const MoeFeedForward& moe, std::int64_t expert) {
  return moe.experts_gate_up_E2FD.select(0, expert).narrow(0, kNeurons, kNeurons);
}
at::Tensor down_of(const MoeFeedForward& moe, std::int64_t expert) { return moe.experts_down_EDF.select(0, expert); }

bool same_bytes(const MoeFeedForward& a, const MoeFeedForward& b) {
  return at::equal(a.router_ED, b.router_ED) && at::equal(a.experts_gate_up_E2FD, b.experts_gate_up_E2FD) &&
         at::equal(a.experts_down_EDF, b.experts_down_EDF);
}

// 1 for each neuron whose weights are not those of the dense block.
at::Tensor changed_rows(const at::Tensor& expert, const at::Tensor& dense) { return (expert != dense).any(1); }

MoePlan drop_plan(IndexMode mode, double ratio = 0.5) {
  MoePlan plan;
  plan.method = "drop-upcycling";
  plan.num_experts = 4;
  plan.drop_ratio = ratio;
  plan.index_mode = mode;
  return plan;
}

TEST(CopyExperts, AreTheDenseBlockWithoutNoise) {
  const DenseFeedForward dense = dense_block();

  const MoeFeedForward moe = make(copy_experts, {.num_experts = 3});

  for (std::int64_t expert = 0; expert < 3; ++expert) {
    EXPECT_TRUE(at::equal(gate_of(moe, expert), dense.gate.weight_OI));
    EXPECT_TRUE(at::equal(up_of(moe, expert), dense.up.weight_OI));
    EXPECT_TRUE(at::equal(down_of(moe, expert), dense.down.weight_OI));
  }
}

TEST(CopyExperts, GetNoiseOfTheGivenFractionOfEachTensorsSpread) {
  const DenseFeedForward dense = dense_block();

  const MoeFeedForward moe = make(copy_experts, {.num_experts = 2, .noise = 0.1});

  const auto fraction = [](const at::Tensor& expert, const at::Tensor& weight) {
    return ((expert - weight).std() / weight.std()).item<double>();
  };
  EXPECT_NEAR(fraction(gate_of(moe, 1), dense.gate.weight_OI), 0.1, 0.003);
  EXPECT_NEAR(fraction(up_of(moe, 1), dense.up.weight_OI), 0.1, 0.003);
  EXPECT_NEAR(fraction(down_of(moe, 1), dense.down.weight_OI), 0.1, 0.003);
  EXPECT_NEAR((gate_of(moe, 0) - dense.gate.weight_OI).mean().item<double>(), 0.0, 0.01);
}

TEST(CopyExperts, GetNoiseOfTheirOwn) {
  const MoeFeedForward moe = make(copy_experts, {.num_experts = 2, .noise = 0.1});

  EXPECT_FALSE((gate_of(moe, 0) == gate_of(moe, 1)).any().item<bool>());
}

TEST(Experts, ComeWithARouterOfTheGivenSpreadAndNoPreference) {
  const MoeFeedForward softmax = make(copy_experts, {.num_experts = 64, .router_std = 0.3});
  const MoeFeedForward sigmoid = make(copy_experts, {.num_experts = 8, .router = RouterKind::Sigmoid});

  EXPECT_NEAR(softmax.router_ED.std().item<double>(), 0.3, 0.01);
  EXPECT_NEAR(softmax.router_ED.mean().item<double>(), 0.0, 0.01);
  EXPECT_FALSE(softmax.correction_bias_E.defined());
  ASSERT_TRUE(sigmoid.correction_bias_E.defined());
  EXPECT_EQ(sigmoid.correction_bias_E.abs().max().item<double>(), 0.0);
}

class Seeded : public ::testing::TestWithParam<std::pair<FeedForwardMethod, MoePlan>> {};

TEST_P(Seeded, TheSameSeedGivesTheSameBytes) {
  const auto& [method, plan] = GetParam();

  EXPECT_TRUE(same_bytes(make(method, plan), make(method, plan)));
}

TEST_P(Seeded, AnotherSeedOrLayerGivesOtherExpertsAndAnotherRouter) {
  const auto& [method, plan] = GetParam();
  const MoeFeedForward here = make(method, plan, /*layer=*/4, /*seed=*/11);

  for (const MoeFeedForward& other : {make(method, plan, 5, 11), make(method, plan, 4, 12)}) {
    EXPECT_FALSE(at::equal(here.router_ED, other.router_ED));
    EXPECT_FALSE(at::equal(here.experts_gate_up_E2FD, other.experts_gate_up_E2FD));
    EXPECT_FALSE(at::equal(here.experts_down_EDF, other.experts_down_EDF));
  }
}

TEST_P(Seeded, MoreExpertsLeaveTheFirstOnesAsTheyAre) {
  const auto& [method, plan] = GetParam();
  MoePlan more = plan;
  more.num_experts += 3;

  const at::Tensor first = make(method, more).experts_down_EDF.narrow(0, 0, plan.num_experts);

  EXPECT_TRUE(at::equal(first, make(method, plan).experts_down_EDF));
}

INSTANTIATE_TEST_SUITE_P(Methods, Seeded,
                         ::testing::Values(std::pair{&copy_experts, MoePlan{.num_experts = 4, .noise = 0.1}},
                                           std::pair{&drop_upcycling, drop_plan(IndexMode::Shared)},
                                           std::pair{&drop_upcycling, drop_plan(IndexMode::Independent)}));

TEST(DropUpcycling, DrawsTheSameNeuronsAnewInAllThreeTensorsWhenShared) {
  const DenseFeedForward dense = dense_block();

  const MoeFeedForward moe = make(drop_upcycling, drop_plan(IndexMode::Shared, 0.25));

  for (std::int64_t expert = 0; expert < 4; ++expert) {
    const at::Tensor gate = changed_rows(gate_of(moe, expert), dense.gate.weight_OI);
    EXPECT_EQ(gate.sum().item<std::int64_t>(), 50);
    EXPECT_TRUE(at::equal(gate, changed_rows(up_of(moe, expert), dense.up.weight_OI)));
    EXPECT_TRUE(at::equal(gate, changed_rows(down_of(moe, expert).t(), dense.down.weight_OI.t())));
  }
}

TEST(DropUpcycling, DrawsOtherNeuronsForEachTensorWhenIndependent) {
  const DenseFeedForward dense = dense_block();

  const MoeFeedForward moe = make(drop_upcycling, drop_plan(IndexMode::Independent));

  double whole = 0;
  for (std::int64_t expert = 0; expert < 4; ++expert) {
    const at::Tensor gate = changed_rows(gate_of(moe, expert), dense.gate.weight_OI);
    const at::Tensor up = changed_rows(up_of(moe, expert), dense.up.weight_OI);
    const at::Tensor down = changed_rows(down_of(moe, expert).t(), dense.down.weight_OI.t());
    EXPECT_EQ(gate.sum().item<std::int64_t>(), 100);
    EXPECT_EQ(up.sum().item<std::int64_t>(), 100);
    EXPECT_EQ(down.sum().item<std::int64_t>(), 100);
    EXPECT_FALSE(at::equal(gate, up));
    EXPECT_FALSE(at::equal(gate, down));
    whole += (gate | up | down).logical_not().sum().item<double>() / (4.0 * kNeurons);
  }
  EXPECT_NEAR(whole, 0.125, 0.04);
}

TEST(DropUpcycling, DrawsOtherNeuronsForEachExpert) {
  const DenseFeedForward dense = dense_block();

  const MoeFeedForward moe = make(drop_upcycling, drop_plan(IndexMode::Shared));

  EXPECT_FALSE(at::equal(changed_rows(gate_of(moe, 0), dense.gate.weight_OI),
                         changed_rows(gate_of(moe, 1), dense.gate.weight_OI)));
}

TEST(DropUpcycling, KeepsMeanAndSpreadOfWhatItReplaces) {
  const DenseFeedForward dense = dense_block();
  const MoeFeedForward moe = make(drop_upcycling, drop_plan(IndexMode::Independent));
  const auto expect_alike = [](const at::Tensor& expert, const at::Tensor& weight) {
    const at::Tensor rows = changed_rows(expert, weight).nonzero().flatten();
    const at::Tensor fresh = expert.index_select(0, rows);
    const at::Tensor replaced = weight.index_select(0, rows);
    const double std = replaced.std().item<double>();
    EXPECT_NEAR(fresh.mean().item<double>(), replaced.mean().item<double>(), 0.05 * std);
    EXPECT_NEAR(fresh.std().item<double>(), std, 0.03 * std);
    // Drawn anew, not shuffled or scaled.
    const at::Tensor centred = (fresh - fresh.mean()) * (replaced - replaced.mean());
    EXPECT_NEAR(centred.mean().item<double>() / (std * std), 0.0, 0.05);
  };

  expect_alike(gate_of(moe, 2), dense.gate.weight_OI);
  expect_alike(up_of(moe, 2), dense.up.weight_OI);
  expect_alike(down_of(moe, 2).t(), dense.down.weight_OI.t());
}

TEST(DropUpcycling, ReplacesAllNeuronsAtRatioOne) {
  const DenseFeedForward dense = dense_block();

  const MoeFeedForward moe = make(drop_upcycling, drop_plan(IndexMode::Shared, 1.0));

  EXPECT_EQ(changed_rows(up_of(moe, 3), dense.up.weight_OI).sum().item<std::int64_t>(), kNeurons);
}

}  // namespace
}  // namespace lathe
