#include "converters/moe/lathe_moe.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/randperm.h>
#include <gmock/gmock.h>

#include <set>

#include "converters/convert.h"
#include "converters/moe/balanced_clusters.h"
#include "model/nn/forward.h"
#include "tests/converters/random_model.h"

namespace lathe {
namespace {

using test::random_ids;
using test::random_model;
using test::small_config;

TEST(BalancedClusters, FindsTheGroupsThatThereAre) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(4);
  const at::Tensor group_N = at::randperm(24, generator, at::kLong).remainder(6);
  const at::Tensor alike_NN = group_N.unsqueeze(0).eq(group_N.unsqueeze(1)).to(at::kFloat);
  const at::Tensor found_EX = balanced_clusters(alike_NN + 0.3 * at::randn({24, 24}, generator, at::kFloat), 6);
  ASSERT_EQ(found_EX.sizes(), (std::vector<std::int64_t>{6, 4}));
  for (std::int64_t e = 0; e < 6; ++e) {
    const at::Tensor groups_X = group_N.index_select(0, found_EX[e]);
    EXPECT_TRUE(groups_X.eq(groups_X[0]).all().item<bool>()) << e << ": " << groups_X;
  }
}

TEST(BalancedClusters, GivesEachThingOnePlaceEvenWithoutAnyGroups) {
  const at::Tensor found_EX = balanced_clusters(at::eye(30), 5);
  std::set<std::int64_t> things;
  for (std::int64_t i = 0; i < 30; ++i) things.insert(found_EX.flatten()[i].item<std::int64_t>());
  EXPECT_EQ(things.size(), 30U);
}

ConversionPlan plan_of(const ModelConfig& config, double active) {
  ConversionPlan plan;
  for (std::int64_t layer = 0; layer < config.num_layers(); ++layer) {
    plan.layers[layer].feed_forward =
        MoePlan{.method = "lathe-moe", .num_experts = 6, .active_fraction = active, .shared_fraction = 0.4};
  }
  return plan;
}

ModelConfig wide_config() {
  ModelConfig config = small_config();
  config.intermediate_size = 64;
  return config;
}

Conversion run(const Model& model, const ConversionPlan& plan) {
  return convert(model, plan,
                 {.calibration_ids_BT = random_ids(model.config, 40, 30),
                  .held_out_ids_BT = random_ids(model.config, 2, 24),
                  .calibration_sha256 = {},
                  .code_version = {},
                  .on_layer = {}});
}

double logit_difference(const Model& a, const Model& b) {
  const at::NoGradGuard no_grad;
  const at::Tensor ids_BT = random_ids(a.config, 2, 40);
  return (forward(a, ids_BT) - forward(b, ids_BT)).abs().max().item<double>();
}

TEST(LatheMoe, KeepsTheLogitsWhereEveryNeuronIsActive) {
  const Model model = random_model(wide_config());
  const Conversion conversion = run(model, plan_of(model.config, 1.0));
  EXPECT_EQ(conversion.model.config.layers[0].feed_forward.num_experts_per_tok, 6);
  EXPECT_LT(logit_difference(model, conversion.model), 2e-3);
  EXPECT_LT(conversion.receipt.layers.back().relative_error, 1e-3);
}

TEST(LatheMoe, HoldsEveryNeuronOnceAndAddsARouterAndBiasesAlone) {
  const Model model = random_model(wide_config());
  const Conversion conversion = run(model, plan_of(model.config, 0.5));
  const auto& moe = std::get<MoeFeedForward>(conversion.model.layers[1]->feed_forward);
  const auto& dense = std::get<DenseFeedForward>(model.layers[1]->feed_forward);
  std::multiset<float> ours, theirs;
  const auto put = [](const at::Tensor& gate_XD, std::multiset<float>& into) {
    for (std::int64_t i = 0; i < gate_XD.size(0); ++i) into.insert(gate_XD[i][0].item<float>());
  };
  put(dense.gate.weight_OI, theirs);
  put(moe.shared.gate.weight_OI, ours);
  for (std::int64_t e = 0; e < 6; ++e) {
    const at::Tensor gate_up_2FD = moe.experts_gate_up_E2FD[e];
    put(gate_up_2FD.narrow(0, 0, gate_up_2FD.size(0) / 2), ours);
  }
  EXPECT_EQ(ours, theirs);
  const std::int64_t added = conversion.receipt.layers[1].params_after - conversion.receipt.layers[1].params_before;
  EXPECT_EQ(added, 6 * 24 + 6 + 6 * 24 + 24);  // router, its biases, experts' biases, the constant
}

TEST(LatheMoe, RefittingWinsBackWhatTheSplitLost) {
  const Model model = random_model(wide_config());
  ConversionPlan plan = plan_of(model.config, 0.5);
  std::erase_if(plan.layers,
                [](const auto& item) { return item.first > 0; });  // later ones mend what earlier ones lost
  const LayerReceipt layer = run(model, plan).receipt.layers.at(0);
  ASSERT_EQ(layer.stages.size(), 2U);
  EXPECT_EQ(layer.stages[0].stage, "router");
  EXPECT_EQ(layer.stages[1].stage, "refit");
  EXPECT_LT(layer.stages[1].relative_error, 0.9 * layer.stages[0].relative_error);
  EXPECT_EQ(layer.relative_error, layer.stages[1].relative_error);
}

TEST(LatheMoe, LosesLessTheMoreIsActiveAndGivesTheSameTwice) {
  const Model model = random_model(wide_config());
  double last = 1e9;
  for (const double active : {0.3, 0.5, 0.8}) {
    const Receipt receipt = run(model, plan_of(model.config, active)).receipt;
    EXPECT_LT(receipt.layers.back().relative_error, last) << active;
    last = receipt.layers.back().relative_error;
    EXPECT_EQ(receipt.model_sha256, run(model, plan_of(model.config, active)).receipt.model_sha256);
  }
}

TEST(LatheMoe, TakesNeuronsThatNeverFire) {
  for (const std::int64_t dead : {40, 64}) {
    const Model model = map_model(random_model(wide_config()), [&](const std::string& name, const at::Tensor& tensor) {
      if (name.ends_with("mlp.up_proj.weight")) tensor.narrow(0, 0, dead).zero_();
      return tensor;
    });
    const Conversion conversion = run(model, plan_of(model.config, 0.5));
    EXPECT_TRUE(std::isfinite(conversion.receipt.nll_after)) << dead;
  }
}

TEST(LatheMoe, FollowsAnAttentionThatWasConvertedInTheSameLayer) {
  const Model model = random_model(wide_config());
  ConversionPlan plan = plan_of(model.config, 0.5);
  for (auto& [index, layer] : plan.layers)
    layer.attention = MlaPlan{.method = "lathe-mla", .qk_rope_head_dim = 8, .kv_lora_rank = 16};
  const Conversion conversion = run(model, plan);
  EXPECT_EQ(conversion.receipt.layers.size(), 6U);
  EXPECT_LT(logit_difference(model, conversion.model), logit_difference(model, random_model(wide_config(), 2)));
}

}  // namespace
}  // namespace lathe
