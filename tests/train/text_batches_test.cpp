#include "model/train/text_batches.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <set>
#include <stop_token>

#include "model/data/error.h"
#include "model/io/text_file.h"
#include "tests/support/places.h"

namespace lathe {
namespace {

TEST(TextBatches, TargetsAreTheInputsOneTokenLater) {
  TextBatches batches(at::arange(1000, at::kLong), {.seq_len = 16, .batch = 3, .seed = 1});
  const at::Tensor batch_BT = batches.batch(4);
  EXPECT_EQ(batch_BT.sizes(), (std::vector<std::int64_t>{3, 17}));
  EXPECT_TRUE(at::equal(batch_BT.slice(1, 1), batch_BT.slice(1, 0, 16) + 1));
}

TEST(TextBatches, AnyBatchIsTheSameWhateverWasAskedBefore) {
  const at::Tensor ids_N = at::arange(1000, at::kLong);
  TextBatches in_order(ids_N, {.seq_len = 16, .batch = 3, .seed = 1});
  std::vector<at::Tensor> seen;
  for (std::int64_t i = 0; i < 60; ++i) seen.push_back(in_order.batch(i));
  TextBatches resumed(ids_N, {.seq_len = 16, .batch = 3, .seed = 1});
  for (const std::int64_t i : {59, 20, 21, 0}) {
    EXPECT_TRUE(at::equal(resumed.batch(i), seen[static_cast<std::size_t>(i)]));
  }
}

TEST(TextBatches, AnEpochSeesEachWindowOnceInAnOrderThatDependsOnSeedAndEpoch) {
  TextBatches batches(at::arange(1000, at::kLong), {.seq_len = 10, .batch = 1, .seed = 1});
  const std::int64_t windows = batches.windows_per_epoch();
  std::vector<std::vector<std::int64_t>> orders(2);
  for (std::int64_t i = 0; i < 2 * windows; ++i) {
    orders[static_cast<std::size_t>(i / windows)].push_back(batches.batch(i)[0][0].item<std::int64_t>() / 10);
  }
  EXPECT_EQ(std::set(orders[0].begin(), orders[0].end()).size(), static_cast<std::size_t>(windows));
  EXPECT_NE(orders[0], orders[1]);

  TextBatches other(at::arange(1000, at::kLong), {.seq_len = 10, .batch = 1, .seed = 2});
  std::vector<std::int64_t> first;
  for (std::int64_t i = 0; i < windows; ++i) first.push_back(other.batch(i)[0][0].item<std::int64_t>() / 10);
  EXPECT_NE(first, orders[0]);
}

TEST(TextBatches, ATextOfExactlyOneSequenceIsEnoughAndOneTokenLessIsAnError) {
  TextBatches batches(at::arange(17, at::kLong), {.seq_len = 16, .batch = 2, .seed = 1});
  EXPECT_TRUE(at::equal(batches.batch(7)[1], at::arange(17, at::kLong)));
  EXPECT_THROW(TextBatches(at::arange(16, at::kLong), {.seq_len = 16, .batch = 1, .seed = 1}), Error);
}

TEST(SplitText, HoldsOutTheLastTenthOrOneWindow) {
  const TextSplit split = split_text(at::arange(1000, at::kLong), 50);
  EXPECT_EQ(split.fit_N.numel(), 900);
  EXPECT_EQ(split.held_out_N[0].item<std::int64_t>(), 900);
  EXPECT_EQ(split_text(at::arange(1000, at::kLong), 300).held_out_N.numel(), 300);
  EXPECT_THROW(split_text(at::arange(1000, at::kLong), 500), Error);
}

class TokenizeText : public testing::Test {
 protected:
  Tokenizer tokenizer_ = Tokenizer::from_folder(LATHE_SOURCE_DIR "/assets/tiny");
  std::string prose_ = read_text_file(text_path("", LATHE_SOURCE_DIR "/assets")).text;
};

TEST_F(TokenizeText, InPiecesGivesTheIdsOfTheWhole) {
  const at::Tensor ids_N = tokenize_text(tokenizer_, prose_);
  const std::vector<std::int32_t> whole = tokenizer_.encode(prose_, {.add_special_tokens = false});
  ASSERT_EQ(ids_N.numel(), static_cast<std::int64_t>(whole.size()));
  EXPECT_TRUE(std::equal(whole.begin(), whole.end(), ids_N.const_data_ptr<std::int64_t>()));
}

TEST_F(TokenizeText, ReportsUpToTheEndAndStopsWhenAsked) {
  std::stop_source stop;
  std::int64_t last = 0, total = 0;
  tokenize_text(tokenizer_, prose_, Job(stop.get_token(), [&](const Progress& progress) {
                  EXPECT_GT(progress.done, last);
                  last = progress.done;
                  total = progress.total;
                }));
  EXPECT_EQ(last, total);
  const Job stopping(stop.get_token(), [&](const Progress&) { stop.request_stop(); });
  EXPECT_THROW(tokenize_text(tokenizer_, prose_, stopping), Cancelled);
}

}  // namespace
}  // namespace lathe
