#include "converters/mla/transmla.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <numeric>

#include "converters/mla/low_rank.h"
#include "converters/mla/rorope.h"
#include "model/nn/forward.h"
#include "model/nn/rope.h"
#include "tests/converters/random_model.h"
#include "tests/support/python.h"

namespace lathe {
namespace {

using test::random_model;
using test::small_config;

ModelConfig biased_config() {
  ModelConfig config = small_config(1);
  config.attention_bias = true;
  config.attention_output_bias = true;
  return config;
}

// One attention layer with random inputs, and what each stage needs of them.
class TransMlaStages : public ::testing::Test {
 protected:
  void merge_and_measure() {
    merged = merge_heads(model.config, std::get<GroupedQueryAttention>(model.layers[0]->attention));
    const at::Tensor kv = keys_and_values(merged, x_BTD).flatten(0, 1).to(at::kDouble);
    merged.moment_MM = kv.t().matmul(kv) / static_cast<double>(kv.size(0));
  }

  at::Tensor original() const { return attention_forward(model.config, *model.layers[0], 0, x_BTD, context); }

  double difference(const MergedAttention& attention) const {
    return (merged_forward(attention, x_BTD, table) - original()).abs().max().item<double>();
  }

  const at::NoGradGuard no_grad;
  const Model model = random_model(biased_config());
  const at::Tensor x_BTD = at::randn({4, 20, 24}, at::make_generator<at::CPUGeneratorImpl>(3), at::kFloat);
  const BlockContext context = [this] {
    BlockContext made = make_block_context(model, {0, 20}, {});
    made.options = nullptr;
    return made;
  }();
  const RopeTable table = context.rope->all(context.positions);
  MergedAttention merged;
};

// Scores of all query heads [B,H,T,T] before the softmax, from the merged form.
at::Tensor scores(const MergedAttention& attention, const at::Tensor& x_BTD, const RopeTable& table) {
  const at::Tensor x_BTX =
      at::cat({x_BTD.to(at::kDouble), at::ones({x_BTD.size(0), x_BTD.size(1), 1}, at::kDouble)}, -1);
  const RopeTable turns = select_rope_pairs(table, attention.rope_pairs);
  const at::Tensor q_BHTK = at::matmul(x_BTX.unsqueeze(1), attention.query_HKX.transpose(1, 2));
  const at::Tensor q_BHTL = apply_rope(q_BHTK.matmul(attention.key_up_HKL), turns);
  const at::Tensor k_BTL = apply_rope(x_BTX.matmul(attention.key_LX.t()), turns);
  return q_BHTL.matmul(k_BTL.unsqueeze(1).transpose(-1, -2));
}

TEST_F(TransMlaStages, MergingHeadsChangesNothing) {
  merge_and_measure();

  EXPECT_LT(difference(merged), 1e-5);
}

TEST_F(TransMlaStages, RotatingWithoutFoldingChangesNoScore) {
  merge_and_measure();

  const MergedAttention rotated = rotate_pairs(merged, {.qk_rope_head_dim = 32, .freqfold = 1}, model.config);

  EXPECT_FALSE(at::allclose(rotated.key_LX, merged.key_LX, 0.1, 0.1));
  EXPECT_LT((scores(rotated, x_BTD, table) - scores(merged, x_BTD, table)).abs().max().item<double>(), 1e-5);
  EXPECT_LT(difference(rotated), 1e-5);
}

TEST_F(TransMlaStages, FoldingFrequenciesChangesScores) {
  merge_and_measure();

  const MergedAttention rotated = rotate_pairs(merged, {.qk_rope_head_dim = 8, .freqfold = 4}, model.config);

  EXPECT_GT(difference(rotated), 1e-3);
}

TEST_F(TransMlaStages, TheRotationIsOrthogonal) {
  merge_and_measure();
  MergedAttention basis = merged;
  basis.key_LX = at::eye(32, at::kDouble);

  basis = drop_rope(rotate_pairs(basis, {.qk_rope_head_dim = 8, .freqfold = 4}, model.config), 4);

  EXPECT_LT((basis.key_LX.matmul(basis.key_LX.t()) - at::eye(32, at::kDouble)).abs().max().item<double>(), 1e-12);
}

TEST_F(TransMlaStages, RotatingGathersTheKeysEnergyInTheFirstPairs) {
  merge_and_measure();

  const MergedAttention rotated = rotate_pairs(merged, {.qk_rope_head_dim = 8, .freqfold = 4}, model.config);

  const auto first_pairs = [](const MergedAttention& attention) {
    const at::Tensor energy_L = attention.moment_MM.diagonal();
    return (energy_L.narrow(0, 0, 4).sum() + energy_L.narrow(0, 16, 4).sum()).item<double>();
  };
  EXPECT_GT(first_pairs(rotated), 1.2 * first_pairs(merged));
  EXPECT_NEAR(rotated.moment_MM.trace().item<double>(), merged.moment_MM.trace().item<double>(), 1e-6);
}

TEST_F(TransMlaStages, TheMomentFollowsTheKeys) {
  merge_and_measure();

  const MergedAttention last =
      balance(drop_rope(rotate_pairs(merged, {.qk_rope_head_dim = 8, .freqfold = 2}, model.config), 4), /*ratio=*/0.7);

  const at::Tensor kv = keys_and_values(last, x_BTD).flatten(0, 1).to(at::kDouble);
  const at::Tensor measured = kv.t().matmul(kv) / static_cast<double>(kv.size(0));
  EXPECT_TRUE(at::allclose(last.moment_MM, measured, 1e-4, 1e-5));
}

TEST_F(TransMlaStages, BalancingChangesNothingButTheSizes) {
  merge_and_measure();
  const MergedAttention dropped =
      drop_rope(rotate_pairs(merged, {.qk_rope_head_dim = 8, .freqfold = 2}, model.config), 4);

  const MergedAttention balanced = balance(dropped, /*ratio=*/0.5);

  EXPECT_NEAR(difference(balanced), difference(dropped), 1e-5);
  const at::Tensor size_M = balanced.moment_MM.diagonal().sqrt();
  const double keys = size_M.narrow(0, 8, 24).mean().item<double>();
  const double values = size_M.narrow(0, 40, 24).mean().item<double>();
  EXPECT_NEAR(keys / values, 0.5, 1e-9);
}

TEST_F(TransMlaStages, TheLowRankLosesTheEnergyOfTheTail) {
  merge_and_measure();
  const MergedAttention whole =
      drop_rope(rotate_pairs(merged, {.qk_rope_head_dim = 8, .freqfold = 4}, model.config), 4);

  const LowRankAttention cut = cut_rank(whole, 20);

  const at::Tensor x_NX = at::cat({x_BTD.flatten(0, 1).to(at::kDouble), at::ones({80, 1}, at::kDouble)}, 1);
  const at::Tensor lost_LX = at::cat({whole.key_LX - cut.attention.key_LX, whole.value_LX - cut.attention.value_LX});
  const double lost = x_NX.matmul(lost_LX.t()).square().sum().item<double>() / 80;
  ASSERT_EQ(cut.eigenvalues.size(), 56);
  EXPECT_TRUE(std::is_sorted(cut.eigenvalues.rbegin(), cut.eigenvalues.rend()));
  EXPECT_NEAR(lost, std::accumulate(cut.eigenvalues.begin() + 20, cut.eigenvalues.end(), 0.0), 1e-5 * lost);
}

TEST_F(TransMlaStages, AbsorbingChangesNothing) {
  merge_and_measure();
  MlaPlan mla{.qk_rope_head_dim = 8, .kv_lora_rank = 20, .freqfold = 4};
  ConversionPlan plan;
  plan.layers[0].attention = mla;
  plan.calibration.seq_len = 20;
  const LowRankAttention cut =
      cut_rank(balance(drop_rope(rotate_pairs(merged, mla, model.config), 4), 1.0), mla.kv_lora_rank);

  Layer layer = *model.layers[0];
  layer.config = planned_config(plan, model.config).layers[0];
  layer.attention = absorb(cut, at::kFloat);

  const at::Tensor absorbed = attention_forward(model.config, layer, 0, x_BTD, context);
  EXPECT_LT((absorbed - merged_forward(cut.attention, x_BTD, table)).abs().max().item<double>(), 1e-5);
}

nlohmann::json to_json(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kDouble).contiguous();
  if (flat.dim() == 1) return std::vector<double>(flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel());
  nlohmann::json rows = nlohmann::json::array();
  for (std::int64_t i = 0; i < flat.size(0); ++i) rows.push_back(to_json(flat.select(0, i)));
  return rows;
}

class TransMlaReference : public TransMlaStages, public ::testing::WithParamInterface<MlaPlan> {
 protected:
  nlohmann::json reference() const {
    const auto& gqa = std::get<GroupedQueryAttention>(model.layers[0]->attention);
    nlohmann::json weights;
    for (const auto& [name, linear] : {std::pair{"q", gqa.q}, {"k", gqa.k}, {"v", gqa.v}, {"o", gqa.o}}) {
      weights[name] = to_json(linear.weight_OI);
      weights[std::string(name) + "_bias"] = to_json(linear.bias_O);
    }
    const ModelConfig& config = model.config;
    const MlaPlan& plan = GetParam();
    return run_python("converters/transmla_reference.py", {{"config",
                                                            {{"heads", config.num_attention_heads},
                                                             {"groups", config.num_key_value_heads},
                                                             {"head_dim", config.head_dim},
                                                             {"theta", config.rope_theta}}},
                                                           {"plan",
                                                            {{"rope_dim", plan.qk_rope_head_dim},
                                                             {"rank", plan.kv_lora_rank},
                                                             {"freqfold", plan.freqfold},
                                                             {"balance", plan.balance_kv_ratio}}},
                                                           {"weights", weights},
                                                           {"x", to_json(x_BTD)}});
  }
};

TEST_P(TransMlaReference, AgreesInEveryStage) {
  LATHE_NEEDS_PYTHON("numpy");
  ConversionPlan plan;
  plan.layers[0].attention = GetParam();
  plan.calibration.seq_len = 20;
  const AttentionConfig planned = planned_config(plan, model.config).layers[0].attention;
  const nlohmann::json expected = reference();

  const AttentionResult result = transmla({.config = model.config,
                                           .layer = *model.layers[0],
                                           .index = 0,
                                           .plan = GetParam(),
                                           .planned = planned,
                                           .context = context,
                                           .x_BTD = x_BTD,
                                           .original_x_BTD = x_BTD,
                                           .original_y_BTD = original(),
                                           .tick = [](std::string_view, std::int64_t) {}});

  for (const StageCost& stage : result.stages) {
    SCOPED_TRACE(stage.stage);
    const double error = expected["stages"].value(stage.stage == "balance"  ? "partial rope"
                                                  : stage.stage == "absorb" ? "low rank"
                                                                            : stage.stage,
                                                  0.0);
    EXPECT_NEAR(stage.relative_error, error, 1e-5);
  }
  const auto eigenvalues = expected["eigenvalues"].get<std::vector<double>>();
  ASSERT_EQ(result.spectrum.eigenvalues.size(), eigenvalues.size());
  for (std::size_t i = 0; i < eigenvalues.size(); ++i)
    EXPECT_NEAR(result.spectrum.eigenvalues[i], eigenvalues[i], 1e-5 * eigenvalues[0]) << i;
  Layer layer = *model.layers[0];
  layer.config.attention = planned;
  layer.attention = result.attention;
  const at::Tensor ours = attention_forward(model.config, layer, 0, x_BTD, context).flatten().to(at::kDouble);
  const at::Tensor theirs = at::tensor(expected["output"].get<std::vector<double>>(), at::kDouble);
  EXPECT_LT((ours - theirs).abs().max().item<double>(), 2e-5);
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, TransMlaReference,
    ::testing::Values(MlaPlan{.qk_rope_head_dim = 8, .kv_lora_rank = 20, .freqfold = 4, .balance_kv_ratio = 1},
                      MlaPlan{.qk_rope_head_dim = 8, .kv_lora_rank = 12, .freqfold = 2, .balance_kv_ratio = 0.6},
                      MlaPlan{.qk_rope_head_dim = 4, .kv_lora_rank = 56, .freqfold = 8, .balance_kv_ratio = 1},
                      MlaPlan{.qk_rope_head_dim = 16, .kv_lora_rank = 30, .freqfold = 1, .balance_kv_ratio = 2},
                      MlaPlan{.qk_rope_head_dim = 16, .kv_lora_rank = 9, .freqfold = 8, .balance_kv_ratio = 1}));

}  // namespace
}  // namespace lathe
