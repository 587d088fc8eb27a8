#include "converters/mla/lathe_mla.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros_like.h>
#include <gmock/gmock.h>

#include <numeric>

#include "converters/convert.h"
#include "converters/mla/heal_attention.h"
#include "converters/mla/low_rank.h"
#include "converters/mla/rope_choice.h"
#include "converters/mla/rorope.h"
#include "model/nn/forward.h"
#include "model/nn/names.h"
#include "tests/converters/random_model.h"

namespace lathe {
namespace {

using test::random_ids;
using test::random_model;
using test::small_config;

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

// One attention layer with biases, random inputs, and the moments that the stages take.
class LatheMlaStages : public ::testing::Test {
 protected:
  static ModelConfig biased_config() {
    ModelConfig config = small_config(1);
    config.attention_bias = config.attention_output_bias = true;
    return config;
  }

  void SetUp() override {
    merged = merge_heads(model.config, std::get<GroupedQueryAttention>(model.layers[0]->attention));
    const at::Tensor x_NX = at::cat({x_BTD.flatten(0, 1), at::ones({80, 1})}, 1).to(at::kDouble);
    inputs_XX = x_NX.t().matmul(x_NX) / 80.0;
    const at::Tensor kv_MX = at::cat({merged.key_LX, merged.value_LX});
    merged.moment_MM = kv_MX.matmul(inputs_XX).matmul(kv_MX.t());
    const at::Tensor root_MM = at::randn({64, 64}, generator, at::kDouble);
    merged.fisher_MM = root_MM.matmul(root_MM.t());
  }

  double difference(const MergedAttention& attention) const {
    const at::Tensor y_BTD = attention_forward(model.config, *model.layers[0], 0, x_BTD, context);
    return largest(merged_forward(attention, x_BTD, context.rope->all(context.positions)) - y_BTD);
  }

  MergedAttention rotated() const { return rotate_for_queries(merged, query_sizes(merged, inputs_XX), turn); }

  const at::NoGradGuard no_grad;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(3);
  const Model model = random_model(biased_config());
  const at::Tensor x_BTD = at::randn({4, 20, 24}, generator, at::kFloat);
  const MeanTurn turn = mean_turn(model.config, 20);
  const BlockContext context = [this] {
    BlockContext made = make_block_context(model, {0, 20}, {});
    made.options = nullptr;
    return made;
  }();
  MergedAttention merged;
  at::Tensor inputs_XX;
};

TEST_F(LatheMlaStages, TheRotationChangesNothing) {
  const MergedAttention turned = rotated();
  EXPECT_GT(largest(turned.key_LX - merged.key_LX), 0.1);
  EXPECT_LT(difference(turned), 2e-5);
}

TEST_F(LatheMlaStages, TheRotationKeepsMomentsInStepWithTheKeys) {
  const MergedAttention turned = rotated();
  const at::Tensor kv_MX = at::cat({turned.key_LX, turned.value_LX});
  EXPECT_LT(largest(turned.moment_MM - kv_MX.matmul(inputs_XX).matmul(kv_MX.t())), 1e-9);
  // z^T g is the same number in any basis.
  const auto trace = [](const MergedAttention& attention) {
    return attention.moment_MM.matmul(attention.fisher_MM).trace().item<double>();
  };
  EXPECT_NEAR(trace(turned), trace(merged), 1e-8 * trace(merged));
}

TEST_F(LatheMlaStages, TheRotationNamesEachFrequencyOnceForEachHead) {
  std::vector<std::int64_t> pairs = rotated().rope_pairs;
  std::ranges::sort(pairs);
  EXPECT_EQ(pairs, (std::vector<std::int64_t>{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7}));
}

TEST_F(LatheMlaStages, ComponentsOfOneFrequencyAreUncorrelatedAsComplexNumbers) {
  const MergedAttention turned = rotated();
  const at::Tensor key_JX = at::complex(turned.key_LX.narrow(0, 0, 16), turned.key_LX.narrow(0, 16, 16));
  const at::Tensor moment_JJ =
      key_JX.matmul(at::complex(inputs_XX, at::zeros_like(inputs_XX))).matmul(key_JX.conj().t());
  const double size = largest(moment_JJ);
  for (std::int64_t i = 0; i < 16; ++i) {
    for (std::int64_t j = 0; j < i; ++j) {
      const auto frequency = [&](std::int64_t pair) { return turned.rope_pairs[static_cast<std::size_t>(pair)]; };
      if (frequency(i) != frequency(j)) continue;
      EXPECT_LT(largest(moment_JJ[i][j]), 1e-9 * size) << i << ", " << j;
    }
  }
}

TEST_F(LatheMlaStages, TheFirstComponentsCarryMostOfTheScores) {
  // What dropping RoPE costs falls with every pair that keeps it.
  double last = 1e9;
  for (const std::int64_t kept : {0, 4, 8, 12, 16}) {
    const double cost = difference(drop_rope_to_mean(rotated(), kept, turn));
    EXPECT_LT(cost, last) << kept;
    last = cost;
  }
  EXPECT_LT(last, 2e-5);
}

TEST_F(LatheMlaStages, TheMeanTurnIsBetterThanNone) {
  const MergedAttention turned = rotated();
  EXPECT_LT(difference(drop_rope_to_mean(turned, 4, turn)), difference(drop_rope(turned, 4)));
}

TEST_F(LatheMlaStages, WithoutDistanceTheMeanTurnIsNone) {
  const MeanTurn still = mean_turn(model.config, 1);
  EXPECT_LT(largest(still.spread_F), 1e-15);
  EXPECT_EQ(largest(drop_rope_to_mean(rotated(), 4, still).key_up_HKL - drop_rope(rotated(), 4).key_up_HKL), 0.0);
}

TEST_F(LatheMlaStages, TheMeanTurnIsThatOfTheDistances) {
  const double theta = std::pow(1000.0, -2.0 * 3 / 16);
  std::complex<double> mean;
  double all = 0.0;
  for (int d = 0; d < 20; ++d) all += 1.0 / (d + 1);
  for (int d = 0; d < 20; ++d) mean += std::polar(1.0 / (d + 1) / all, -d * theta);
  EXPECT_NEAR(turn.cos_F[3].item<double>(), mean.real(), 1e-6);
  EXPECT_NEAR(turn.sin_F[3].item<double>(), mean.imag(), 1e-6);
  EXPECT_NEAR(turn.spread_F[3].item<double>(), 1.0 - std::norm(mean), 1e-6);
}

TEST_F(LatheMlaStages, TheWeightedErrorIsTheSumOfTheDroppedEigenvalues) {
  const MergedAttention dropped = drop_rope_to_mean(rotated(), 4, turn);
  const LowRankAttention low_rank = cut_rank_by_fisher(dropped, 20);
  const at::Tensor moment_EE = dropped.moment_MM.narrow(0, 8, 56).narrow(1, 8, 56);
  at::Tensor weight_EE = dropped.fisher_MM.narrow(0, 8, 56).narrow(1, 8, 56).clone();
  weight_EE.diagonal().mul_(1.05);
  weight_EE /= weight_EE.diagonal().mean();
  const at::Tensor lost_EE = at::eye(56, at::kDouble) - low_rank.decode_ER.matmul(low_rank.encode_RE);
  const double lost = weight_EE.matmul(lost_EE.matmul(moment_EE).matmul(lost_EE.t())).trace().item<double>();
  const double tail = std::accumulate(low_rank.eigenvalues.begin() + 20, low_rank.eigenvalues.end(), 0.0);
  EXPECT_NEAR(lost, tail, 1e-4 * tail);
  // Principal components that know nothing of the weight lose more of it.
  const LowRankAttention plain = cut_rank(dropped, 20);
  const at::Tensor other_EE = at::eye(56, at::kDouble) - plain.decode_ER.matmul(plain.encode_RE);
  EXPECT_GT(weight_EE.matmul(other_EE.matmul(moment_EE).matmul(other_EE.t())).trace().item<double>(), 1.2 * lost);
}

ConversionPlan plan_of(const ModelConfig& config, std::int64_t rope, std::int64_t rank) {
  ConversionPlan plan;
  for (std::int64_t layer = 0; layer < config.num_layers(); ++layer)
    plan.layers[layer].attention = MlaPlan{.method = "lathe-mla", .qk_rope_head_dim = rope, .kv_lora_rank = rank};
  return plan;
}

Conversion run(const Model& model, const ConversionPlan& plan) {
  return convert(model, plan,
                 {.calibration_ids_BT = random_ids(model.config, 12, 24),
                  .held_out_ids_BT = random_ids(model.config, 2, 24),
                  .calibration_sha256 = {},
                  .code_version = {},
                  .on_layer = {}});
}

double logit_difference(const Model& a, const Model& b) {
  const at::NoGradGuard no_grad;
  const at::Tensor ids_BT = random_ids(a.config, 2, 40);
  return largest(forward(a, ids_BT) - forward(b, ids_BT));
}

TEST(LatheMla, KeepsTheLogitsAtFullRankWithAllRopeKept) {
  for (const bool biased : {false, true}) {
    ModelConfig config = small_config();
    config.attention_bias = biased;
    const Model model = random_model(config);
    const Conversion conversion = run(model, plan_of(config, 32, 32));
    EXPECT_LT(logit_difference(model, conversion.model), 2e-4) << biased;
    EXPECT_LT(conversion.receipt.layers.back().relative_error, 1e-4) << biased;
  }
}

TEST(LatheMla, LosesLessThanTransMlaOnTheSameSizes) {
  const Model model = random_model(small_config());
  ConversionPlan other = plan_of(model.config, 8, 16);
  for (auto& [index, layer] : other.layers) layer.attention->method = "transmla";
  for (auto& [index, layer] : other.layers) layer.attention->freqfold = 4;
  const Receipt ours = run(model, plan_of(model.config, 8, 16)).receipt, theirs = run(model, other).receipt;
  for (std::size_t i = 0; i < ours.layers.size(); ++i)
    EXPECT_LT(ours.layers[i].relative_error, theirs.layers[i].relative_error) << i;
}

TEST(LatheMla, GivesEachLayerItsOwnFrequenciesAndABiasAndTheSameWeightsTwice) {
  const Model model = random_model(small_config());
  const Conversion first = run(model, plan_of(model.config, 8, 16)), second = run(model, plan_of(model.config, 8, 16));
  EXPECT_EQ(first.receipt.model_sha256, second.receipt.model_sha256);
  for (const LayerPtr& layer : first.model.layers) {
    EXPECT_EQ(layer->config.attention.rope_pairs.size(), 4U);
    EXPECT_TRUE(std::get<LatentAttention>(layer->attention).o.bias_O.defined());
  }
  EXPECT_EQ(first.model.config.layers[1].attention, first.model.layers[1]->config.attention);
  const std::vector<std::string> stages{"merge", "rotate", "partial rope", "low rank", "refit"};
  ASSERT_EQ(first.receipt.layers[0].stages.size(), stages.size());
  for (std::size_t i = 0; i < stages.size(); ++i) EXPECT_EQ(first.receipt.layers[0].stages[i].stage, stages[i]);
}

TEST(LatheMla, EvenedOutPairsChangeNoScore) {
  const Model model = random_model(small_config());
  const Conversion conversion = run(model, plan_of(model.config, 8, 16));
  Model even = conversion.model;
  for (LayerPtr& layer : even.layers) {
    Layer changed = map_layer(*layer, 0, [](const std::string&, const at::Tensor& tensor) { return tensor.clone(); });
    auto& attention = std::get<LatentAttention>(changed.attention);
    even_out_pairs(attention, changed.config.attention);
    const at::Tensor queries_HPD = attention.q.weight_OI.unflatten(0, {-1, 16 + 8}).narrow(1, 16, 8);
    const at::Tensor of_queries_J = queries_HPD.square().mean(0).sum(1).view({2, 4}).sum(0);
    const at::Tensor of_keys_J = attention.kv_a.weight_OI.narrow(0, 16, 8).square().sum(1).view({2, 4}).sum(0);
    EXPECT_LT(largest(of_queries_J / of_keys_J - 1.0), 1e-4);
    layer = std::make_shared<const Layer>(std::move(changed));
  }
  EXPECT_LT(logit_difference(conversion.model, even), 2e-5);
}

TEST(LatheMla, HealingBringsEachLayerNearerToTheOriginal) {
  const Model model = random_model(small_config());
  ConversionPlan plan = plan_of(model.config, 8, 16);
  for (auto& [index, layer] : plan.layers) layer.attention->heal_steps = 60;
  const Conversion healed = run(model, plan), again = run(model, plan);
  EXPECT_EQ(healed.receipt.model_sha256, again.receipt.model_sha256);
  for (const LayerReceipt& layer : healed.receipt.layers) {
    ASSERT_EQ(layer.stages.back().stage, "heal");
    EXPECT_LT(layer.relative_error, 0.95 * layer.stages[layer.stages.size() - 2].relative_error) << layer.layer;
  }
}

TEST(LatheMla, TheBarEndsWithTheHealing) {
  const Model model = random_model(small_config());
  ConversionPlan plan = plan_of(model.config, 8, 16);
  plan.layers[0].attention->heal_steps = 3;
  plan.layers[1].attention->heal_steps = 7;
  plan.layers[1].attention->method = "transmla";  // which does not heal
  plan.layers.rbegin()->second.attention->heal_steps = 200;
  std::vector<Progress> reports;
  const Job job({}, [&](const Progress& progress) { reports.push_back(progress); });
  convert(model, plan,
          {.calibration_ids_BT = random_ids(model.config, 12, 24),
           .held_out_ids_BT = random_ids(model.config, 2, 24),
           .calibration_sha256 = {},
           .code_version = {},
           .on_layer = {}},
          job);
  EXPECT_EQ(reports.back().done, reports.back().total);
}

}  // namespace
}  // namespace lathe
