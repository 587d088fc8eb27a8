#include "views/data_files.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/sample_session.h"

namespace lathe {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(DataFiles, FieldsAreQuotedWhereTheyMustBe) {
  EXPECT_EQ(csv_field("plain"), "plain");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"hi\""), "\"say \"\"hi\"\"\"");
  EXPECT_EQ(csv_field("\n"), "\"\n\"");
}

TEST(DataFiles, TrainingKeepsEveryStepAndEveryDigit) {
  const Session session = trained_session(20);
  const std::vector<std::string> lines = lines_of(train_csv(session.train));
  ASSERT_EQ(lines.size(), 21U);
  EXPECT_EQ(lines[0], "step,loss,next_token,balance,kl,lr,grad_norm,tokens_per_second,held_out");
  float loss = 0.0F;
  int step = 0;
  ASSERT_EQ(std::sscanf(lines[7].c_str(), "%d,%f", &step, &loss), 2);
  EXPECT_EQ(step, 7);
  EXPECT_EQ(loss, session.train.loss[6]);
  EXPECT_EQ(lines[5].substr(lines[5].rfind(',') + 1), "3.542");  // held out at step 5 of 20
  EXPECT_EQ(lines[6].back(), ',');
}

TEST(DataFiles, JsonHoldsTheSameNumbers) {
  const Session session = trained_session(20);
  const nlohmann::json json = nlohmann::json::parse(train_json(session.train));
  ASSERT_EQ(json["loss"].size(), 20U);
  EXPECT_EQ(json["loss"][3].get<float>(), session.train.loss[3]);
  EXPECT_EQ(json["held_out"].size(), session.train.held_out.size());
}

TEST(DataFiles, RoutersHaveALineForEachExpertOfEachStep) {
  const Session session = trained_session(6);
  EXPECT_EQ(lines_of(router_csv(session.train)).size(), 1U + 6U * 4U * 8U);
}

TEST(DataFiles, SpectraSayWhatACutLoses) {
  LayerReceipt layer;
  layer.layer = 3;
  layer.spectrum = {.layer = 3, .kept_rank = 2, .eigenvalues = {6.0F, 3.0F, 1.0F}};
  EXPECT_EQ(spectra_csv({layer}), "layer,index,eigenvalue,lost_energy,kept\n3,1,6,0.4,1\n3,2,3,0.1,1\n3,3,1,0,0\n");
}

TEST(DataFiles, AttentionLeavesOutWhatIsMasked) {
  const AttentionMap map = sample_attention(4, 4);
  EXPECT_EQ(lines_of(attention_csv(map)).size(), 1U + 10U);
}

TEST(DataFiles, ReceiptsListEveryStage) {
  const Session session = converted_session();
  const std::vector<std::string> lines = lines_of(receipt_csv(session.receipt->layers));
  EXPECT_EQ(lines.size(), 1U + 9U * 7U + 4U * 3U);
  EXPECT_EQ(lines[1].substr(0, 26), "8,attention,transmla,merge");
}

TEST(DataFiles, AReceiptReadsBack) {
  const Session session = converted_session();
  const Receipt again = receipt_from_json(nlohmann::json::parse(receipt_text(*session.receipt)));
  EXPECT_EQ(again.plan, session.receipt->plan);
  EXPECT_EQ(again.nll_after, session.receipt->nll_after);
}

}  // namespace
}  // namespace lathe
