// The main job as a user does it: real widgets, real worker, real engine; only pixels and the system's dialogs are
// absent.
#include <chrono>
#include <filesystem>
#include <thread>

#include "app/torch_engine.h"
#include "app/worker.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/ui_test.h"
#include "views/actions.h"

namespace lathe {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 300s;  // no time is measured; only a hang ends here

/// The frame of the program, with a renderer that draws nothing.
class TheStudio : public UiTest {
 protected:
  void SetUp() override {
    UiTest::SetUp();
    shell_ = std::make_unique<Shell>();
    act([](ImGuiTestContext* user) { user->ItemClick("**/Open the tiny model"); });
    ASSERT_EQ(finish(), JobOutcome::Done);
    original_ = session_.model->sha256;
  }
  void TearDown() override {
    shell_.reset();
    UiTest::TearDown();
  }

  void act(const Act& act) {
    drive([this] { draw(); }, act);
  }

  /// Frames until `done`; fails the test if that never comes.
  template <typename Done>
  void until(Done done) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "waited in vain";
      frame([this] { draw(); });
      std::this_thread::sleep_for(2ms);
    }
  }

  /// Frames until the job that was posted last has ended, and a few more for the views to follow.
  JobOutcome finish() {
    const auto ended = [this] {
      const JobView* job = find_job(session_, last_job_);
      return job != nullptr && job->has_ended();
    };
    until(ended);
    for (int i = 0; i < 3; ++i) frame([this] { draw(); });
    if (!ended()) return JobOutcome::Failed;
    EXPECT_EQ(find_job(session_, last_job_)->message, "");
    return find_job(session_, last_job_)->outcome;
  }

  /// Two layers to MLA and one to MoE, cell by cell, then Convert.
  void paint_and_convert() {
    act([](ImGuiTestContext* user) {
      user->ItemClick("**/attention 2");
      user->KeyPress(ImGuiKey_M);
      user->ItemClick("**/attention 4");
      user->KeyPress(ImGuiKey_M);
      user->ItemClick("**/feed-forward 3");
      user->KeyPress(ImGuiKey_E);
    });
    ASSERT_EQ(ui_.plan.plan().num_mla(), 2);
    ASSERT_EQ(ui_.plan.plan().num_moe(), 1);
    act([](ImGuiTestContext* user) { user->ItemClick("top bar/Convert"); });
    ASSERT_EQ(finish(), JobOutcome::Done);
  }

  /// The sha256 that opening a saved copy of the model recomputes from its tensors.
  std::string sha_of_a_saved_copy() {
    const TemporaryFolder folder;
    path_to_answer_ = folder / "copy";
    act([](ImGuiTestContext* user) { user->KeyPress(static_cast<int>(ImGuiMod_Ctrl) | static_cast<int>(ImGuiKey_S)); });
    EXPECT_EQ(finish(), JobOutcome::Done);
    EXPECT_TRUE(session_.model->saved);
    act([](ImGuiTestContext* user) {
      user->SetRef("##MainMenuBar");
      user->MenuClick("File/Open model folder\u2026");
    });
    EXPECT_EQ(finish(), JobOutcome::Done);
    EXPECT_EQ(std::filesystem::path(session_.model->path).filename(), "copy");
    return sha();
  }

  /// Fills in the training panel and starts; short sequences, so that many steps cost little.
  void start_training(int steps) {
    act([steps](ImGuiTestContext* user) {
      user->KeyPress(static_cast<int>(ImGuiMod_Ctrl) | static_cast<int>(ImGuiKey_2));
      user->ItemInputValue("**/##Steps", steps);
      user->ItemInputValue("**/##Sequence", 32);
      user->ItemInputValue("**/##Batch", 1);
      user->ItemClick("Training###train.Train.1/Start healing");
    });
  }

  const LayerConfig& layer(std::size_t index) const { return session_.model->config.layers[index]; }
  const std::string& sha() const { return session_.model->sha256; }

  Session session_;
  UiState ui_;
  std::string original_;        ///< sha256 of the model as it was opened
  std::string path_to_answer_;  ///< what the user picks in the next dialog

 private:
  void draw() {
    for (const Event& event : worker_.events()) reduce(session_, event);
    for (const Snapshot& picture : worker_.pictures()) reduce(session_, picture);
    shell_->draw(session_, ui_, commands_);
    for (const Request& request : commands_.take_requests()) answer(request);
    for (Command& command : commands_.take_posted()) {
      if (is_job(command)) last_job_ = command.job;
      reduce(session_, command);
      worker_.post(std::move(command));
    }
  }

  void answer(const Request& request) {
    const auto* ask = std::get_if<AskPath>(&request);
    ASSERT_NE(ask, nullptr);
    if (ask->purpose == PathFor::SaveModel) {
      commands_.post(SaveModel{path_to_answer_});
    } else {
      open_model({session_, ui_, commands_}, path_to_answer_);
    }
  }

  Commands commands_;
  std::unique_ptr<Shell> shell_;
  JobId last_job_ = 0;
  Worker worker_{[] { return make_torch_engine({.threads = 1}); }, [] {}};  ///< last: ends first
};

TEST_F(TheStudio, WhatIsPaintedIsConvertedAndRedoneAfterUndo) {
  paint_and_convert();
  const std::string converted = sha();
  EXPECT_NE(converted, original_);
  EXPECT_EQ(layer(2).attention.kind, AttentionKind::Mla);
  EXPECT_EQ(layer(4).attention.kind, AttentionKind::Mla);
  EXPECT_EQ(layer(3).attention.kind, AttentionKind::Gqa);
  EXPECT_EQ(layer(3).feed_forward.kind, FeedForwardKind::Moe);
  EXPECT_TRUE(ui_.plan.plan().empty());
  ASSERT_TRUE(session_.receipt.has_value());
  EXPECT_EQ(session_.receipt->layers.size(), 3U);

  act([](ImGuiTestContext* user) { user->ItemClick("top bar/\u21a9"); });
  ASSERT_EQ(finish(), JobOutcome::Done);
  EXPECT_EQ(sha(), original_);
  EXPECT_EQ(layer(2).attention.kind, AttentionKind::Gqa);
  EXPECT_FALSE(session_.receipt.has_value());

  act([](ImGuiTestContext* user) { user->ItemClick("top bar/\u21aa"); });
  ASSERT_EQ(finish(), JobOutcome::Done);
  EXPECT_EQ(sha(), converted);
  EXPECT_EQ(layer(3).feed_forward.kind, FeedForwardKind::Moe);
  EXPECT_TRUE(session_.receipt.has_value());
  EXPECT_EQ(sha_of_a_saved_copy(), converted);
}

TEST_F(TheStudio, UndoBringsTheVeryTensorsBack) {
  paint_and_convert();
  act([](ImGuiTestContext* user) { user->ItemClick("top bar/\u21a9"); });
  ASSERT_EQ(finish(), JobOutcome::Done);
  EXPECT_EQ(sha_of_a_saved_copy(), original_);
}

TEST_F(TheStudio, HealingShowsEveryStepAndTheModelWritesBesideItsOriginal) {
  paint_and_convert();
  const std::string converted = sha();
  start_training(20);
  until([this] { return session_.train.loss.size() >= 2; });
  EXPECT_EQ(session_.train.steps, 20);
  ASSERT_EQ(finish(), JobOutcome::Done);
  EXPECT_EQ(session_.train.loss.size(), 20U);
  EXPECT_EQ(session_.train.routers.at(3).load.size(), 20U);
  EXPECT_NE(sha(), converted);
  ASSERT_TRUE(session_.receipt->healing.has_value());
  EXPECT_EQ(session_.receipt->healing->steps, 20);
  EXPECT_EQ(session_.receipt->healing->nll, session_.train.held_out.back().nll);

  act([](ImGuiTestContext* user) {
    user->KeyPress(static_cast<int>(ImGuiMod_Ctrl) | static_cast<int>(ImGuiKey_3));
    user->ItemInputValue("**/##New tokens", 12);
    user->ItemClick("**/Write");
  });
  ASSERT_EQ(finish(), JobOutcome::Done);
  for (const Writing* writing : {&session_.writing, &session_.writing_original}) {
    EXPECT_FALSE(writing->text.empty());
    ASSERT_TRUE(writing->result.has_value());
    EXPECT_EQ(writing->tokens.size(), writing->result->ids.size());
  }
}

TEST_F(TheStudio, ACancelledTrainingLeavesTheModelAsItWas) {
  ui_.train.trainable = Trainable::All;  // nothing is converted
  start_training(1'000'000);
  until([this] { return session_.train.loss.size() >= 2; });
  act([](ImGuiTestContext* user) { user->ItemClick("top bar/Cancel"); });
  EXPECT_EQ(finish(), JobOutcome::Cancelled);
  EXPECT_LT(session_.train.loss.size(), 1'000'000U);
  EXPECT_EQ(sha(), original_);
  EXPECT_TRUE(session_.model->saved);
  EXPECT_EQ(sha_of_a_saved_copy(), original_);
}

}  // namespace
}  // namespace lathe
