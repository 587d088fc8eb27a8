#include "converters/convert.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stop_token>

#include "model/data/error.h"
#include "model/infer/evaluate.h"
#include "model/nn/forward.h"
#include "tests/converters/random_model.h"

namespace lathe {
namespace {

using test::random_ids;
using test::random_model;
using test::small_config;
using ::testing::HasSubstr;

ConvertInputs inputs_for(const Model& model) {
  return {.calibration_ids_BT = random_ids(model.config, 6, 30),
          .held_out_ids_BT = random_ids(model.config, 3, 20) * 7 % model.config.vocab_size,
          .calibration_sha256 = "abc",
          .code_version = "test",
          .on_layer = {}};
}

MlaPlan lossy_mla() { return {.qk_rope_head_dim = 8, .kv_lora_rank = 20, .freqfold = 4}; }

// Layer 1 becomes MLA, layer 2 MoE, layer 3 both; 0 and 4 stay.
ConversionPlan mixed_plan() {
  ConversionPlan plan;
  plan.layers[1].attention = lossy_mla();
  plan.layers[2].feed_forward = MoePlan{.num_experts = 4, .noise = 0.2};
  plan.layers[3].attention = lossy_mla();
  plan.layers[3].feed_forward = MoePlan{.num_experts = 4, .noise = 0.2};
  plan.seed = 21;
  return plan;
}

const LatentAttention& mla_of(const Model& model, std::size_t layer) {
  return std::get<LatentAttention>(model.layers[layer]->attention);
}
const MoeFeedForward& moe_of(const Model& model, std::size_t layer) {
  return std::get<MoeFeedForward>(model.layers[layer]->feed_forward);
}

class Converting : public ::testing::Test {
 protected:
  Conversion run(const ConversionPlan& plan) const { return convert(model, plan, inputs_for(model)); }

  std::string refusal(const ConversionPlan& plan, const ConvertInputs& inputs) const {
    try {
      convert(model, plan, inputs);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was refused";
  }

  const Model model = random_model(small_config(5));
};

TEST_F(Converting, SharesEverythingThatThePlanDoesNotName) {
  const std::string before = model_sha256(model);

  const Model converted = run(mixed_plan()).model;

  EXPECT_EQ(converted.layers[0], model.layers[0]);
  EXPECT_EQ(converted.layers[4], model.layers[4]);
  EXPECT_TRUE(converted.embed_VD.is_same(model.embed_VD));
  EXPECT_TRUE(converted.layers[1]->attention_norm_D.is_same(model.layers[1]->attention_norm_D));
  const auto& dense = std::get<DenseFeedForward>(converted.layers[1]->feed_forward);
  EXPECT_TRUE(dense.up.weight_OI.is_same(std::get<DenseFeedForward>(model.layers[1]->feed_forward).up.weight_OI));
  EXPECT_EQ(model_sha256(model), before);
}

TEST_F(Converting, GivesThePlannedConfig) {
  const Conversion conversion = run(mixed_plan());

  EXPECT_EQ(conversion.model.config, planned_config(mixed_plan(), model.config));
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(conversion.model.layers[i]->config, conversion.model.config.layers[i]);
}

TEST_F(Converting, MeasuresTheLossOnHeldOutText) {
  const ConvertInputs inputs = inputs_for(model);
  const at::Tensor ids = inputs.held_out_ids_BT.to(at::kInt).contiguous();

  const Conversion conversion = run(mixed_plan());

  const std::span<const std::int32_t> text(ids.data_ptr<std::int32_t>(), 60);
  const EvaluateOptions windows{.window = 20, .windows = 3};
  EXPECT_NEAR(conversion.receipt.nll_before, evaluate(model, text, windows).nll, 1e-9);
  EXPECT_NEAR(conversion.receipt.nll_after, evaluate(conversion.model, text, windows).nll, 1e-9);
  EXPECT_EQ(conversion.receipt.eval_tokens, 3 * 19);
}

TEST_F(Converting, WritesAReceiptOfEveryPart) {
  const Receipt receipt = run(mixed_plan()).receipt;

  ASSERT_EQ(receipt.layers.size(), 4);
  EXPECT_EQ(receipt.layers[2].layer, 3);
  EXPECT_EQ(receipt.layers[2].part, LayerPart::Attention);
  EXPECT_EQ(receipt.layers[2].kv_values_before, 64);
  EXPECT_EQ(receipt.layers[2].kv_values_after, 28);
  EXPECT_EQ(receipt.layers[2].spectrum.kept_rank, 20);
  EXPECT_EQ(receipt.layers[2].spectrum.eigenvalues.size(), 56);
  EXPECT_EQ(receipt.layers[3].part, LayerPart::FeedForward);
  EXPECT_EQ(receipt.layers[3].params_after - receipt.layers[3].params_before, 3 * 3 * 24 * 20 + 4 * 24);
  EXPECT_EQ(receipt.sizes_before.kv_values_per_token, 5 * 64);
  EXPECT_EQ(receipt.sizes_after.kv_values_per_token, 3 * 64 + 2 * 28);
  EXPECT_EQ(receipt.plan, mixed_plan());
  EXPECT_EQ(receipt.seed, 21);
  EXPECT_EQ(receipt.calibration_sha256, "abc");
  EXPECT_EQ(receipt.calibration_tokens, 180);
  EXPECT_EQ(receipt.device, "cpu");
  EXPECT_EQ(receipt.dtype, "f32");
  EXPECT_EQ(receipt.code_version, "test");
}

TEST_F(Converting, NamesTheModelThatItMade) {
  const Conversion conversion = run(mixed_plan());

  EXPECT_EQ(conversion.receipt.model_sha256, model_sha256(conversion.model));
  EXPECT_NE(conversion.receipt.model_sha256, model_sha256(model));
}

TEST_F(Converting, MeasuresTheStagesOfAttentionInOrder) {
  const std::vector<StageCost> stages = run(mixed_plan()).receipt.layers[0].stages;

  ASSERT_EQ(stages.size(), 6);
  EXPECT_EQ(stages[0].stage, "merge");
  EXPECT_LT(stages[0].relative_error, 1e-5);
  EXPECT_EQ(stages[2].stage, "partial rope");
  EXPECT_GT(stages[2].relative_error, 0.01);
  EXPECT_NEAR(stages[3].relative_error, stages[2].relative_error, 1e-5);
  EXPECT_GT(stages[4].relative_error, stages[3].relative_error);
  EXPECT_NEAR(stages[5].relative_error, stages[4].relative_error, 1e-5);
}

TEST_F(Converting, SeparatesWhatExpertsCostFromWhatTheRouterCosts) {
  ConversionPlan plan;
  plan.layers[2].feed_forward = MoePlan{.num_experts = 4, .norm_topk_prob = false, .router_std = 0.0};

  const std::vector<StageCost> stages = run(plan).receipt.layers[0].stages;

  ASSERT_EQ(stages.size(), 2);
  EXPECT_LT(stages[0].relative_error, 1e-5);
  EXPECT_NEAR(stages[1].relative_error, 0.5, 1e-5);  // two of four equal probabilities are used
}

TEST_F(Converting, CalibratesEachLayerOnWhatThePreviousOnesMake) {
  ConversionPlan alone, after;
  alone.layers[3].attention = lossy_mla();
  after.layers[1].feed_forward = MoePlan{.noise = 1.0};
  after.layers[3].attention = lossy_mla();

  const Model calibrated_alone = run(alone).model;
  const Model calibrated_after = run(after).model;

  EXPECT_FALSE(at::equal(mla_of(calibrated_alone, 3).kv_a.weight_OI, mla_of(calibrated_after, 3).kv_a.weight_OI));
}

TEST_F(Converting, MeasuresErrorsWithInputsOfTheOriginal) {
  // Without statistics in the method, what earlier layers became must not show in a layer's error.
  ConversionPlan alone, after;
  alone.layers[3].feed_forward = MoePlan{.noise = 0.3};
  after = alone;
  after.layers[1].feed_forward = MoePlan{.noise = 1.0};

  EXPECT_EQ(run(alone).receipt.layers[0].relative_error, run(after).receipt.layers[1].relative_error);
}

TEST_F(Converting, IsRepeatable) {
  EXPECT_EQ(run(mixed_plan()).receipt.model_sha256, run(mixed_plan()).receipt.model_sha256);
}

TEST_F(Converting, DrawsALayersNoiseWhateverElseIsConverted) {
  ConversionPlan alone;
  alone.layers[3].feed_forward = mixed_plan().layers[3].feed_forward;
  alone.seed = mixed_plan().seed;

  const Model converted_alone = run(alone).model;
  const Model converted_with_others = run(mixed_plan()).model;

  EXPECT_TRUE(
      at::equal(moe_of(converted_alone, 3).experts_down_EDF, moe_of(converted_with_others, 3).experts_down_EDF));
  EXPECT_FALSE(at::equal(moe_of(converted_with_others, 2).router_ED, moe_of(converted_with_others, 3).router_ED));
}

TEST_F(Converting, ConvertsAgainWhatWasConvertedBefore) {
  ConversionPlan first, second;
  first.layers[1].attention = lossy_mla();
  second.layers[1].feed_forward = MoePlan{.num_experts = 4};
  const Model once = run(first).model;

  const Conversion twice = convert(once, second, inputs_for(once));

  EXPECT_EQ(twice.model.config.layers[1].attention, once.config.layers[1].attention);
  EXPECT_TRUE(mla_of(twice.model, 1).kv_a.weight_OI.is_same(mla_of(once, 1).kv_a.weight_OI));
  EXPECT_NEAR(twice.receipt.nll_after, twice.receipt.nll_before, 1e-5);
}

TEST_F(Converting, TellsEachPartAsSoonAsItIsDone) {
  std::vector<std::pair<std::int64_t, LayerPart>> told;
  std::vector<LayerConfig> configs;
  ConvertInputs inputs = inputs_for(model);
  inputs.on_layer = [&](const LayerReceipt& receipt, const Model& so_far) {
    told.emplace_back(receipt.layer, receipt.part);
    configs.push_back(so_far.config.layers[3]);
  };

  convert(model, mixed_plan(), inputs);

  const std::vector<std::pair<std::int64_t, LayerPart>> expected = {
      {1, LayerPart::Attention}, {2, LayerPart::FeedForward}, {3, LayerPart::Attention}, {3, LayerPart::FeedForward}};
  EXPECT_EQ(told, expected);
  EXPECT_EQ(configs[1], LayerConfig{});
  EXPECT_EQ(configs[2].attention.kind, AttentionKind::Mla);
  EXPECT_EQ(configs[2].feed_forward.kind, FeedForwardKind::Dense);
  EXPECT_EQ(configs[3].feed_forward.kind, FeedForwardKind::Moe);
}

TEST_F(Converting, ProgressRunsToItsEndExactly) {
  std::vector<Progress> reports;
  const Job job({}, [&](const Progress& progress) { reports.push_back(progress); });

  convert(model, mixed_plan(), inputs_for(model), job);

  for (std::size_t i = 1; i < reports.size(); ++i) {
    EXPECT_GE(reports[i].done, reports[i - 1].done);
    EXPECT_EQ(reports[i].total, reports[0].total);
  }
  EXPECT_EQ(reports.back().done, reports.back().total);
}

TEST_F(Converting, CanBeCancelledAtEveryStep) {
  const std::string before = model_sha256(model);
  std::int64_t steps = 0;
  convert(model, mixed_plan(), inputs_for(model), Job({}, [&](const Progress&) { ++steps; }));
  ASSERT_GT(steps, 30);

  for (std::int64_t stop_at = 0; stop_at < steps; ++stop_at) {
    std::stop_source stop;
    std::int64_t step = 0;
    const Job job(stop.get_token(), [&](const Progress&) {
      if (step++ == stop_at) stop.request_stop();
    });
    if (stop_at + 1 < steps) {
      EXPECT_THROW(convert(model, mixed_plan(), inputs_for(model), job), Cancelled) << "at step " << stop_at;
    }
  }
  EXPECT_EQ(model_sha256(model), before);
}

TEST_F(Converting, WorksInBfloat16) {
  const Model half =
      map_model(model, [](const std::string&, const at::Tensor& tensor) { return tensor.to(at::kBFloat16); });

  const Conversion conversion = convert(half, mixed_plan(), inputs_for(half));

  EXPECT_EQ(mla_of(conversion.model, 1).kv_b.weight_OI.scalar_type(), at::kBFloat16);
  EXPECT_EQ(moe_of(conversion.model, 2).router_ED.scalar_type(), at::kBFloat16);
  EXPECT_EQ(conversion.receipt.dtype, "bf16");
  EXPECT_NEAR(conversion.receipt.layers[0].relative_error, run(mixed_plan()).receipt.layers[0].relative_error, 0.03);
}

TEST_F(Converting, RefusesAnEmptyPlan) { EXPECT_THAT(refusal({}, inputs_for(model)), HasSubstr("changes no layer")); }

TEST_F(Converting, RefusesAnImpossiblePlanWithAllItsProblems) {
  ConversionPlan plan = mixed_plan();
  plan.layers[1].attention->kv_lora_rank = 1000;
  plan.layers[9].attention = lossy_mla();

  const std::string message = refusal(plan, inputs_for(model));

  EXPECT_THAT(message, HasSubstr("Layer 1: kv_lora_rank is 1000"));
  EXPECT_THAT(message, HasSubstr("Layer 9: there is no such layer"));
}

TEST_F(Converting, RefusesTextOfAnotherTokenizer) {
  ConvertInputs inputs = inputs_for(model);
  inputs.calibration_ids_BT = inputs.calibration_ids_BT + 40;

  EXPECT_THAT(refusal(mixed_plan(), inputs), HasSubstr("expected 0 to 60"));
}

TEST_F(Converting, RefusesMissingText) {
  ConvertInputs inputs = inputs_for(model);
  inputs.held_out_ids_BT.reset();

  EXPECT_THAT(refusal(mixed_plan(), inputs), HasSubstr("held-out"));
}

}  // namespace
}  // namespace lathe
