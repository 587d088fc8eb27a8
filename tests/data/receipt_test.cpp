#include "model/data/receipt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/data/error.h"

namespace lathe {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

Receipt example() {
  Receipt receipt;
  receipt.plan.layers[3].attention = MlaPlan{};
  receipt.plan.layers[4].feed_forward = MoePlan{};
  LayerReceipt attention;
  attention.layer = 3;
  attention.method = "transmla";
  attention.stages = {{"merge", 1e-7}, {"low rank", 0.25}};
  attention.relative_error = 0.25;
  attention.params_before = 100;
  attention.params_after = 90;
  attention.kv_values_before = 384;
  attention.kv_values_after = 128;
  attention.seconds = 1.5;
  attention.spectrum = {.layer = 3, .kept_rank = 96, .eigenvalues = {3.5F, 0.1F, 1e-12F}};
  LayerReceipt experts;
  experts.layer = 4;
  experts.part = LayerPart::FeedForward;
  experts.method = "copy";
  receipt.layers = {attention, experts};
  receipt.nll_before = 3.0844;
  receipt.nll_after = 3.25;
  receipt.eval_tokens = 4080;
  receipt.sizes_before = {.params = 10, .active_params = 10, .kv_values_per_token = 384};
  receipt.sizes_after = {.params = 80, .active_params = 20, .kv_values_per_token = 128};
  receipt.seconds = 30.25;
  receipt.seed = 7;
  receipt.calibration_sha256 = "ab";
  receipt.calibration_tokens = 4096;
  receipt.model_sha256 = "cd";
  receipt.device = "cpu";
  receipt.dtype = "f32";
  receipt.code_version = "0.1.0";
  receipt.healing = {.steps = 60, .nll = 3.125, .nll_original = 3.0844};
  return receipt;
}

std::string message_of(const json& bad) {
  try {
    receipt_from_json(bad);
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(ReceiptJson, WritesTheSameBytesAfterReading) {
  const std::string first = receipt_to_json(example()).dump();

  const Receipt again = receipt_from_json(json::parse(first));

  EXPECT_EQ(receipt_to_json(again).dump(), first);
  EXPECT_EQ(again.plan, example().plan);
  EXPECT_EQ(again.layers[0].spectrum.eigenvalues, example().layers[0].spectrum.eigenvalues);
  EXPECT_EQ(again.layers[0].spectrum.layer, 3);
  EXPECT_EQ(again.layers[1].part, LayerPart::FeedForward);
  EXPECT_TRUE(again.layers[1].spectrum.eigenvalues.empty());
  EXPECT_EQ(again.nll_after, 3.25);
  EXPECT_EQ(again.sizes_after.params, 80);
  EXPECT_EQ(again.healing->steps, 60);
}

TEST(ReceiptJson, HoldsEveryFieldThatTheReaderNeeds) {
  json whole = receipt_to_json(example());
  whole.erase("healing");  // only a healed model has it

  for (const auto& item : whole.items()) {
    SCOPED_TRACE(item.key());
    json without = whole;
    without.erase(item.key());
    EXPECT_THAT(message_of(without), HasSubstr("\"" + item.key() + "\" is missing"));
  }
}

TEST(ReceiptJson, RefusesWhatIsNotAReceipt) {
  json unknown = receipt_to_json(example());
  unknown["loss"] = 1;
  json part = receipt_to_json(example());
  part["layers"][0]["part"] = "mlp";
  json spectrum = receipt_to_json(example());
  spectrum["layers"][0]["spectrum"]["eigenvalues"][1] = "large";

  EXPECT_THAT(message_of(unknown), HasSubstr("\"loss\""));
  EXPECT_THAT(message_of(part), HasSubstr("feed_forward"));
  EXPECT_THAT(message_of(spectrum), HasSubstr("list of finite numbers"));
  EXPECT_THAT(message_of(json::array()), HasSubstr("expected a JSON object"));
}

}  // namespace
}  // namespace lathe
