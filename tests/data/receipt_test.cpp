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
  receipt.kv_bytes_per_token_before = 768;
  receipt.kv_bytes_per_token_after = 256;
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
  EXPECT_EQ(again.kv_bytes_per_token_before, 768);
  EXPECT_EQ(again.kv_bytes_per_token_after, 256);
}

Receipt of_one_layer(const char* model_sha256, std::int64_t layer, double relative_error) {
  Receipt receipt;
  receipt.model_sha256 = model_sha256;
  receipt.layers.emplace_back();
  receipt.layers[0].layer = layer;
  receipt.layers[0].relative_error = relative_error;
  return receipt;
}

TEST(Receipts, OfAllConversionsOfAModelStayOldestFirst) {
  const Receipt first = receipt_after(std::nullopt, of_one_layer("a", 3, 0.1));
  const Receipt second = receipt_after(first, of_one_layer("b", 5, 0.2));
  const Receipt third = receipt_after(second, of_one_layer("c", 3, 0.3));

  const Receipt again = receipt_from_json(json::parse(receipt_to_json(third).dump()));

  EXPECT_FALSE(receipt_to_json(first).contains("earlier"));
  EXPECT_EQ(again.model_sha256, "c");
  ASSERT_EQ(again.earlier.size(), 2U);
  EXPECT_EQ(again.earlier[0].model_sha256, "a");
  EXPECT_EQ(again.earlier[1].model_sha256, "b");
  EXPECT_TRUE(again.earlier[1].earlier.empty());
  EXPECT_EQ(receipt_to_json(again), receipt_to_json(third));
}

TEST(Receipts, GiveTheNewestFigureOfALayer) {
  Receipt receipt = receipt_after(of_one_layer("a", 3, 0.1), of_one_layer("b", 3, 0.2));
  receipt = receipt_after(receipt, of_one_layer("c", 5, 0.3));

  const auto error_of = [&](std::int64_t layer) {
    const LayerReceipt* found = find_layer(receipt, layer, LayerPart::Attention);
    return found == nullptr ? -1.0 : found->relative_error;
  };
  EXPECT_EQ(error_of(3), 0.2);
  EXPECT_EQ(error_of(5), 0.3);
  EXPECT_EQ(error_of(4), -1.0);
  EXPECT_EQ(find_layer(receipt, 5, LayerPart::FeedForward), nullptr);
}

TEST(Receipts, SayWhichEarlierOneCannotBeRead) {
  json twice = receipt_to_json(receipt_after(example(), example()));
  twice["earlier"][0].erase("nll_after");
  EXPECT_THAT(message_of(twice), HasSubstr("the key \"nll_after\" is missing"));

  json nested = receipt_to_json(receipt_after(example(), example()));
  nested["earlier"][0]["earlier"] = nested["earlier"];
  EXPECT_THAT(message_of(nested), HasSubstr("got \"earlier\""));
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
  EXPECT_THAT(message_of(json::array()), HasSubstr("expected an object"));
}

}  // namespace
}  // namespace lathe
