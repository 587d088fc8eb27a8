#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "converters/convert.h"
#include "model/nn/forward.h"
#include "tests/converters/random_model.h"

namespace lathe {
namespace {

using test::random_ids;
using test::random_model;
using test::small_config;

ConversionPlan exact_mla_plan(const ModelConfig& config) {
  const std::int64_t width = config.num_key_value_heads * config.head_dim;
  ConversionPlan plan;
  for (std::int64_t layer = 0; layer < config.num_layers(); ++layer) {
    plan.layers[layer].attention = MlaPlan{.qk_rope_head_dim = width, .kv_lora_rank = width, .freqfold = 1};
  }
  return plan;
}

ConversionPlan copy_plan(const ModelConfig& config, RouterKind router) {
  ConversionPlan plan;
  for (std::int64_t layer = 0; layer < config.num_layers(); ++layer) {
    plan.layers[layer].feed_forward =
        MoePlan{.num_experts = 5, .num_experts_per_tok = 3, .noise = 0.0, .router = router, .router_std = 1.0};
  }
  return plan;
}

Conversion run(const Model& model, const ConversionPlan& plan) {
  return convert(model, plan,
                 {.calibration_ids_BT = random_ids(model.config, 5, 12),
                  .held_out_ids_BT = random_ids(model.config, 2, 12),
                  .calibration_sha256 = {},
                  .code_version = {},
                  .on_layer = {}});
}

double largest_logit_difference(const Model& a, const Model& b) {
  const at::NoGradGuard no_grad;
  const at::Tensor ids_BT = random_ids(a.config, 2, 40);
  return (forward(a, ids_BT) - forward(b, ids_BT)).abs().max().item<double>();
}

TEST(TransMla, KeepsTheLogitsAtFullRankWithAllRopeKept) {
  const Model model = random_model(small_config());

  const Conversion conversion = run(model, exact_mla_plan(model.config));

  EXPECT_LT(largest_logit_difference(model, conversion.model), 1e-4);
  EXPECT_LT(conversion.receipt.layers.back().relative_error, 1e-5);
}

TEST(TransMla, KeepsTheLogitsOfAModelWithAttentionBiases) {
  ModelConfig config = small_config();
  config.attention_bias = true;
  config.attention_output_bias = true;
  const Model model = random_model(config);

  const Conversion conversion = run(model, exact_mla_plan(config));

  EXPECT_LT(largest_logit_difference(model, conversion.model), 1e-4);
}

TEST(TransMla, KeepsTheLogitsOfAModelWithBiasesOnQueriesKeysAndValuesOnly) {
  ModelConfig config = small_config();
  config.attention_bias = true;
  const Model model = random_model(config);

  const Conversion conversion = run(model, exact_mla_plan(config));

  EXPECT_LT(largest_logit_difference(model, conversion.model), 1e-4);
}

TEST(TransMla, KeepsTheLogitsOfAModelWithScaledRope) {
  ModelConfig config = small_config();
  config.rope_scaling = {.kind = RopeScalingKind::Llama3,
                         .factor = 8,
                         .low_freq_factor = 1,
                         .high_freq_factor = 4,
                         .original_max_position_embeddings = 32};
  const Model model = random_model(config);

  EXPECT_LT(largest_logit_difference(model, run(model, exact_mla_plan(config)).model), 1e-4);
}

TEST(TransMla, KeepsTheLogitsOfOneKeyValueHeadPerQueryHead) {
  ModelConfig config = small_config();
  config.num_key_value_heads = config.num_attention_heads;
  const Model model = random_model(config);

  EXPECT_LT(largest_logit_difference(model, run(model, exact_mla_plan(config)).model), 1e-4);
}

TEST(TransMla, KeepsTheLogitsOfOneKeyValueHeadForAll) {
  ModelConfig config = small_config();
  config.num_key_value_heads = 1;
  const Model model = random_model(config);

  EXPECT_LT(largest_logit_difference(model, run(model, exact_mla_plan(config)).model), 1e-4);
}

class CopyMoe : public ::testing::TestWithParam<RouterKind> {};

TEST_P(CopyMoe, KeepsTheLogitsWithoutNoise) {
  const Model model = random_model(small_config());

  const Conversion conversion = run(model, copy_plan(model.config, GetParam()));

  EXPECT_LT(largest_logit_difference(model, conversion.model), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Routers, CopyMoe, ::testing::Values(RouterKind::Softmax, RouterKind::Sigmoid));

TEST(DropUpcycling, KeepsTheLogitsWhenItDropsNothing) {
  const Model model = random_model(small_config());
  ConversionPlan plan = copy_plan(model.config, RouterKind::Softmax);
  for (auto& [index, layer] : plan.layers) {
    layer.feed_forward->method = "drop-upcycling";
    layer.feed_forward->drop_ratio = 0.0;
  }

  EXPECT_LT(largest_logit_difference(model, run(model, plan).model), 1e-5);
}

TEST(Conversion, KeepsTheLogitsWithBothPartsOfEveryLayerConverted) {
  const Model model = random_model(small_config());
  ConversionPlan plan = copy_plan(model.config, RouterKind::Softmax);
  for (auto& [index, layer] : exact_mla_plan(model.config).layers) plan.layers[index].attention = layer.attention;

  EXPECT_LT(largest_logit_difference(model, run(model, plan).model), 1e-4);
}

}  // namespace
}  // namespace lathe
