#include "views/data_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
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

TEST(DataFiles, SpectraKeepTheDigitsOfSmallLosses) {
  LayerReceipt layer;
  layer.spectrum = {.layer = 0, .kept_rank = 1, .eigenvalues = {1e8F, 1e-3F, 2e-9F}};
  const std::vector<std::string> lines = lines_of(spectra_csv({layer}));
  double lost = 0.0;
  ASSERT_EQ(std::sscanf(lines[2].c_str(), "0,2,%*f,%lf", &lost), 1);
  EXPECT_NEAR(lost, 2e-17, 1e-23);
}

TEST(DataFiles, ChoicesNameTheirLayerUnderOneHeader) {
  const Session session = full_session();
  const std::vector<std::string> lines = lines_of(choices_csv(session.router_choices));
  EXPECT_EQ(lines[0], "layer,position,token_id,token,rank,expert,weight");
  EXPECT_EQ(std::ranges::count(lines, lines[0]), 1);
  EXPECT_EQ(lines[1].substr(0, 9), "11,0,100,");
  EXPECT_EQ(lines.back().substr(0, 3), "23,");
}

TEST(DataFiles, RoutersGiveTheEntropyAsAShareOfTheLargest) {
  TrainCurves train;
  RouterHistory& history = train.routers[2];
  history.load.push_back({0.25F, 0.25F, 0.25F, 0.25F});
  history.entropy.append(std::log(4.0F));
  history.max_violation.append(0.0F);
  history.dead.append(0.0F);
  history.balance.append(1.5F);
  const std::vector<std::string> lines = lines_of(router_csv(train));
  EXPECT_EQ(lines[0], "step,layer,expert,load,entropy_over_ln_experts,max_violation,dead,balance");
  EXPECT_EQ(lines[1], "1,2,0,0.25,1,0,0,1.5");
}

TEST(DataFiles, WritingsOfBothModelsAreToldApart) {
  const Session session = full_session();
  const std::vector<std::string> lines = lines_of(writing_csv(session.writing, &session.writing_original));
  EXPECT_EQ(lines[1].substr(0, 8), "model,0,");
  EXPECT_EQ(std::ranges::count_if(lines, [](const std::string& line) { return line.starts_with("original,"); }), 48);
  EXPECT_EQ(writing_csv(session.writing, nullptr).find("original,"), std::string::npos);
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
