// What a conversion's receipt says, and when there is none because it would not hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "converters/convert.h"
#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/nn/load.h"
#include "model/nn/save.h"
#include "tests/converters/random_model.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

using test::random_ids;
using test::random_model;
using test::small_config;
using ::testing::AllOf;
using ::testing::HasSubstr;

ConvertInputs inputs_for(const Model& model) {
  return {.calibration_ids_BT = random_ids(model.config, 6, 30) % 50,
          .held_out_ids_BT = random_ids(model.config, 3, 20) % 50,
          .calibration_sha256 = "abc",
          .code_version = "test",
          .on_layer = {}};
}

ConversionPlan one_mla() {
  ConversionPlan plan;
  plan.layers[1].attention = MlaPlan{.qk_rope_head_dim = 8, .kv_lora_rank = 20, .freqfold = 4};
  return plan;
}

ConversionPlan one_moe(RouterKind router) {
  ConversionPlan plan;
  plan.layers[1].feed_forward = MoePlan{.num_experts = 4, .router = router};
  return plan;
}

Model in_bf16(const Model& model) {
  return map_model(model, [](const std::string& name, const at::Tensor& tensor) {
    return tensor.to(dtype_in(at::kBFloat16, name));
  });
}

// A model in which one token, number 55, means something infinite.
Model with_an_infinite_token() {
  Model model = random_model(small_config());
  model.lm_head_VD = model.lm_head_VD.clone();
  model.embed_VD = model.embed_VD.clone();
  model.embed_VD[55][0] = std::numeric_limits<float>::infinity();
  return model;
}

std::string refusal(const Model& model, const ConversionPlan& plan, const ConvertInputs& inputs) {
  try {
    convert(model, plan, inputs);
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(ConversionReceipt, IsRefusedIfAStagesErrorIsNotFinite) {
  const Model model = with_an_infinite_token();
  ConvertInputs inputs = inputs_for(model);
  inputs.calibration_ids_BT[2][7] = 55;

  EXPECT_THAT(refusal(model, one_mla(), inputs),
              AllOf(HasSubstr("layer 1, stage \"merge\""), HasSubstr("expected a finite number")));
  EXPECT_THAT(refusal(model, one_moe(RouterKind::Softmax), inputs),
              AllOf(HasSubstr("layer 1, stage \"experts\""), HasSubstr("expected a finite number")));
}

TEST(ConversionReceipt, IsRefusedIfTheLossIsNotFinite) {
  const Model model = with_an_infinite_token();
  ConvertInputs inputs = inputs_for(model);
  inputs.held_out_ids_BT[1][4] = 55;

  EXPECT_THAT(refusal(model, one_mla(), inputs), HasSubstr("is not a finite number"));
}

TEST(ConversionReceipt, CountsTheBytesOfTheCacheInTheModelsDtype) {
  const Model model = random_model(small_config());
  const Model half = in_bf16(model);

  const Receipt receipt = convert(model, one_mla(), inputs_for(model)).receipt;
  const Receipt of_half = convert(half, one_mla(), inputs_for(half)).receipt;

  EXPECT_EQ(receipt.kv_bytes_per_token_before, 4 * 3 * 64);
  EXPECT_EQ(receipt.kv_bytes_per_token_after, 4 * (2 * 64 + 28));
  EXPECT_EQ(of_half.kv_bytes_per_token_before, 2 * 3 * 64);
  EXPECT_EQ(of_half.kv_bytes_per_token_after, 2 * (2 * 64 + 28));
}

TEST(ConversionReceipt, ShowsNoRoundingOfTheOriginalInExactStages) {
  const Model half = in_bf16(random_model(small_config()));

  const std::vector<StageCost> stages = convert(half, one_mla(), inputs_for(half)).receipt.layers[0].stages;

  EXPECT_EQ(stages[0].stage, "merge");
  EXPECT_LT(stages[0].relative_error, 1e-5);
}

class ReopenedConversion : public ::testing::TestWithParam<RouterKind> {};

TEST_P(ReopenedConversion, HasTheSameBytes) {
  const Model half = in_bf16(random_model(small_config()));
  const Conversion conversion = convert(half, one_moe(GetParam()), inputs_for(half));
  const TemporaryFolder folder;

  save_model(conversion.model, folder / "model", {});
  const Model reopened = load_model(open_checkpoint(folder / "model"), {.device = at::kCPU, .dtype = at::kBFloat16});

  EXPECT_EQ(model_sha256(reopened), conversion.receipt.model_sha256);
}

INSTANTIATE_TEST_SUITE_P(Routers, ReopenedConversion, ::testing::Values(RouterKind::Softmax, RouterKind::Sigmoid),
                         [](const auto& router) {
                           return router.param == RouterKind::Sigmoid ? "Sigmoid" : "Softmax";
                         });

}  // namespace
}  // namespace lathe
