// The engine without a worker: what a failing or cancelled picture may do to the job that it belongs to.
#include <gtest/gtest.h>

#include <optional>
#include <stop_token>

#include "app/torch_engine.h"
#include "model/data/session.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

class TheEngine : public testing::Test {
 protected:
  void SetUp() override { run(OpenModel{.path = "tiny", .device = "cpu", .dtype = "f32"}); }

  void run(auto what, const Job& job = {}) { engine_->run({.job = 1, .what = std::move(what)}, job, outbox_); }

  static Train training() {
    Train train;
    train.settings.steps = 2;
    train.settings.seq_len = 32;
    train.settings.batch = 1;
    train.settings.trainable = Trainable::All;
    return train;
  }
  static Generate writing(const std::string& prompt, bool original = false) {
    Generate generate{.settings = {.prompt = prompt, .max_new_tokens = 4, .stop = {}}, .original = original};
    generate.settings.temperature = 0;
    return generate;
  }

  Session session_;
  std::vector<Watch> watches_;
  std::vector<Snapshot> pictures_;
  std::function<void()> on_picture_ = [] {};
  Outbox outbox_{.event = [this](const Event& event) { reduce(session_, event); },
                 .picture =
                     [this](Snapshot picture) {
                       on_picture_();
                       pictures_.push_back(std::move(picture));
                     },
                 .watches = [this] { return watches_; }};
  std::unique_ptr<Engine> engine_ = make_torch_engine({.threads = 1});
};

TEST_F(TheEngine, APictureThatFailsIsAWarningAndTheWorkStays) {
  const std::string before = session_.model->sha256;
  watches_ = {Watch{}};
  on_picture_ = [] { throw std::runtime_error("no room for a picture"); };
  run(training());
  EXPECT_NE(session_.model->sha256, before);
  EXPECT_EQ(session_.train.loss.size(), 2U);
  ASSERT_FALSE(session_.log.empty());
  EXPECT_EQ(session_.log.back().level, LogLevel::Warning);
  EXPECT_NE(session_.log.back().text.find("no room for a picture"), std::string::npos);
}

TEST_F(TheEngine, AStopAfterTheWorkEndsThePicturesAlone) {
  run(training());
  std::stop_source stop;
  watches_ = {Watch{}, Watch{.kind = PictureKind::Attention, .layer = 1, .head = 0, .max_side = 8, .prompt = {}}};
  on_picture_ = [&stop] { stop.request_stop(); };
  EXPECT_NO_THROW(run(Undo{}, Job(stop.get_token(), nullptr)));
  EXPECT_EQ(pictures_.size(), 1U);
  EXPECT_TRUE(session_.model->undo.empty());
}

TEST_F(TheEngine, PicturesShowWhatTheModelWroteAndNotItsOriginal) {
  watches_ = {Watch{}};
  run(writing("And it came to pass"));
  const auto shown = [this] {
    std::string text;
    for (const TokenText& token : std::get<0>(pictures_.back())->tokens) text += token.text;
    return text;
  };
  const std::string written = shown();
  EXPECT_NE(written.find("And it came to pass" + session_.writing.text), std::string::npos) << written;
  const std::int64_t version = std::get<0>(pictures_.back())->version;
  run(writing("In the beginning", /*original=*/true));
  EXPECT_EQ(shown(), written);

  run(OpenModel{.path = "tiny", .device = "cpu", .dtype = "f32"});
  EXPECT_NE(shown(), written);
  EXPECT_GT(std::get<0>(pictures_.back())->version, version);
}

TEST_F(TheEngine, LogsWhatItOpened) {
  ASSERT_FALSE(session_.log.empty());
  const std::string& line = session_.log.front().text;
  for (const char* part : {"Opened ", "safetensors", " tensors", "as f32 on cpu", " s"}) {
    EXPECT_NE(line.find(part), std::string::npos) << line;
  }
}

TEST_F(TheEngine, AHealedModelSaysSoInItsReceiptAndUndoForgetsIt) {
  Convert convert;
  convert.plan.layers[2].feed_forward = MoePlan{};
  convert.plan.calibration.seq_len = 64;
  run(convert);
  const std::string converted = session_.model->sha256;
  EXPECT_EQ(session_.receipt->model_sha256, converted);
  EXPECT_FALSE(session_.receipt->healing.has_value());

  run(training());
  run(training());
  ASSERT_TRUE(session_.receipt->healing.has_value());
  EXPECT_EQ(session_.receipt->healing->steps, 4);
  EXPECT_EQ(session_.receipt->healing->nll, session_.train.held_out.back().nll);
  EXPECT_EQ(session_.receipt->healing->nll_original, session_.train.held_out.back().original);

  run(Undo{});
  EXPECT_EQ(session_.receipt->healing->steps, 2);
  run(Undo{});
  EXPECT_FALSE(session_.receipt->healing.has_value());
  run(Undo{});
  EXPECT_FALSE(session_.receipt.has_value());
  run(Redo{});
  EXPECT_EQ(session_.receipt->model_sha256, converted);
}

}  // namespace
}  // namespace lathe
