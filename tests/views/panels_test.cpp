#include "tests/support/sample_session.h"
#include "tests/support/ui_test.h"
#include "views/attention_view.h"
#include "views/load_strip.h"
#include "views/router_view.h"
#include "views/trainable.h"

namespace lathe {
namespace {

class Panels : public ShellTest {
 protected:
  /// A session whose model the views already know, so that what the test arranges is not cleared as another model's.
  void open(Session session, Workspace workspace) {
    session_ = std::move(session);
    ui_.settings.workspace = workspace;
    frames(3);
  }
};

TEST_F(Panels, StartHealingPostsTheSettingsOfTheForm) {
  open(converted_session(), Workspace::Train);
  act([](ImGuiTestContext* user) {
    user->ItemInputValue("**/##Steps", 20);
    user->ItemClick("Training###train.Train.1/Start healing");
  });
  ASSERT_EQ(posted<Train>().size(), 1U);
  EXPECT_EQ(posted<Train>().front().settings.steps, 20);
}

TEST_F(Panels, StopCancelsTheRun) {
  session_ = trained_session(20, /*running=*/true);
  ui_.train_job = session_.running_job()->id;
  open(session_, Workspace::Train);
  act([](ImGuiTestContext* user) { user->ItemClick("**/Stop"); });
  ASSERT_EQ(posted<CancelJob>().size(), 1U);
}

TEST_F(Panels, TheLossPlotGrowsWithTheRun) {
  open(trained_session(5, true), Workspace::Train);
  const int before = ImGui::GetDrawData()->TotalVtxCount;
  open(trained_session(200, true), Workspace::Train);
  EXPECT_GT(ImGui::GetDrawData()->TotalVtxCount, before + 400);
}

TEST_F(Panels, TrainableParametersMatchTheKindsThatAreConverted) {
  const ModelConfig plain = sample_config();
  EXPECT_EQ(trainable_params(plain, Trainable::Converted), 0);
  EXPECT_EQ(trainable_params(plain, Trainable::All), sizes_of(plain).params);
  const ModelConfig config = planned_config(sample_plan(), plain);
  EXPECT_EQ(trainable_params(config, Trainable::Routers), 4 * 8 * 576);
  EXPECT_EQ(trainable_params(config, Trainable::Converted), trainable_params(config, Trainable::Routers) +
                                                                trainable_params(config, Trainable::Experts) +
                                                                trainable_params(config, Trainable::Attention));
}

TEST_F(Panels, WritePostsThePromptAndComparesWithTheOriginal) {
  open(converted_session(), Workspace::Generate);
  act([](ImGuiTestContext* user) {
    user->ItemClick("**/##prompt");
    user->KeyCharsReplace("The lathe");
    user->ItemClick("Generate###generate.Generate.1/Write");
  });
  ASSERT_EQ(posted<Generate>().size(), 2U);
  EXPECT_EQ(posted<Generate>()[0].settings.prompt, "The lathe");
  EXPECT_TRUE(posted<Generate>()[1].original);
}

TEST_F(Panels, CtrlEnterInThePromptWritesOnceAndNeverConverts) {
  open(opened_session(), Workspace::Generate);
  ui_.plan.edit("Load recipe", sample_plan());
  frames(2);
  act([](ImGuiTestContext* user) {
    IM_CHECK((user->ItemInfo("top bar/Convert").ItemFlags & ImGuiItemFlags_Disabled) == 0);
    user->ItemClick("**/##prompt");
    user->KeyCharsReplace("Once");
    user->KeyPress(static_cast<int>(ImGuiMod_Ctrl) | static_cast<int>(ImGuiKey_Enter));
    user->KeyPress(static_cast<int>(ImGuiMod_Ctrl) | static_cast<int>(ImGuiKey_Enter));
  });
  ASSERT_EQ(posted<Generate>().size(), 1U);
  EXPECT_EQ(posted<Generate>().front().settings.prompt, "Once");
  EXPECT_TRUE(posted<Convert>().empty());
}

TEST_F(Panels, AWritingIsSavedFromItsButtonAndByTheRightMouseButton) {
  open(full_session(), Workspace::Generate);
  act([](ImGuiTestContext* user) {
    user->ItemClick("Generate###generate.Generate.1/writing export/Export");
    user->ItemClick("//$FOCUSED/Save CSV\u2026");
    const ImGuiTestItemInfo text = user->WindowInfo("Generate###generate.Generate.1/now");
    IM_CHECK(text.Window != nullptr);
    user->MouseMoveToPos(text.Window->Rect().GetCenter());
    user->MouseClick(ImGuiMouseButton_Right);
    user->ItemClick("//$FOCUSED/Save CSV\u2026");
  });
  ASSERT_EQ(requested<SaveFile>().size(), 2U);
  EXPECT_EQ(requested<SaveFile>().back().suggestion, "writing.csv");
}

TEST_F(Panels, TheKlFieldNeedsTheOriginal) {
  Session session = converted_session();
  open(session, Workspace::Train);
  const auto is_disabled = [](ImGuiTestContext* user) {
    return (user->ItemInfo("**/##KL to original").ItemFlags & ImGuiItemFlags_Disabled) != 0;
  };
  act([&](ImGuiTestContext* user) { IM_CHECK(!is_disabled(user)); });
  session.model->undo.clear();
  open(session, Workspace::Train);
  act([&](ImGuiTestContext* user) { IM_CHECK(is_disabled(user)); });
}

TEST_F(Panels, TheInspectorChangesTheRankOfAllSelectedLayersInOneStep) {
  open(opened_session(), Workspace::Design);
  act([](ImGuiTestContext* user) {
    user->ItemClick("**/attention 4");
    user->KeyDown(ImGuiMod_Shift);
    user->ItemClick("**/attention 6");
    user->KeyUp(ImGuiMod_Shift);
    user->KeyPress(ImGuiKey_M);
    user->ItemInputValue("**/##Latent rank", 64);
  });
  for (const std::int64_t layer : {4, 5, 6}) EXPECT_EQ(ui_.plan.plan().layers.at(layer).attention->kv_lora_rank, 64);
  ui_.plan.undo();
  EXPECT_NE(ui_.plan.plan().layers.at(5).attention->kv_lora_rank, 64);
}

TEST_F(Panels, AnImpossiblePlanIsExplainedAndCannotBeConverted) {
  open(opened_session(), Workspace::Design);
  ConversionPlan plan = sample_plan();
  plan.layers[8].attention->qk_rope_head_dim = 7;
  ui_.plan.edit("Break it", plan);
  frames(2);
  EXPECT_FALSE(ui_.prediction.problems.empty());
  act([](ImGuiTestContext* user) {
    IM_CHECK((user->ItemInfo("top bar/Convert").ItemFlags & ImGuiItemFlags_Disabled) != 0);
  });
}

TEST_F(Panels, PredictionsAreTheExactSizesOfThePlannedModel) {
  open(opened_session(), Workspace::Design);
  ConversionPlan plan;
  plan.layers[3].feed_forward = MoePlan{};  // 8 experts, 2 for each token
  plan.layers[4].attention = MlaPlan{};     // rank 96, 32 rotated
  ui_.plan.edit("Load", plan);
  frames(1);
  const Sizes& before = ui_.prediction.before;
  const Sizes& after = ui_.prediction.after;
  // 3 KV heads of 64, keys and values, in 30 layers; one of them then keeps a latent of 96 and 32 rotated.
  EXPECT_EQ(before.kv_values_per_token, 30 * 2 * 3 * 64);
  EXPECT_EQ(after.kv_values_per_token, 29 * 2 * 3 * 64 + 96 + 32);
  // 7 more MLPs of 3 x 576 x 1536 and a router row of 576 for each expert; the attention changes from 9 heads of 64
  // with 3 KV heads to queries of 64 + 32, a latent of 96 + 32, keys and values of 64 from it for each head.
  const std::int64_t mlp = 3 * 576 * 1536;
  const std::int64_t gqa = 576 * (9 + 3 + 3 + 9) * 64;
  const std::int64_t mla = 576 * 9 * (64 + 32) + 576 * (96 + 32) + 96 * 9 * (64 + 64) + 576 * 9 * 64;
  EXPECT_EQ(after.params - before.params, 7 * mlp + 8 * 576 + mla - gqa);
  EXPECT_EQ(after.active_params - before.active_params, mlp + 8 * 576 + mla - gqa);
}

TEST_F(Panels, SaveCsvAsksTheWindowForAFile) {
  open(trained_session(10), Workspace::Train);
  act([](ImGuiTestContext* user) {
    user->ItemClick("Loss###loss.Train.1/loss export/Export");
    user->ItemClick("//$FOCUSED/Save CSV\u2026");
  });
  ASSERT_EQ(requested<SaveFile>().size(), 1U);
  EXPECT_EQ(requested<SaveFile>().front().suggestion, "loss.csv");
  EXPECT_EQ(requested<SaveFile>().front().content.substr(0, 9), "step,loss");
}

TEST_F(Panels, SavePngAsksForThePanelsRectangleOnceTheMenuIsGone) {
  open(trained_session(10), Workspace::Train);
  act([](ImGuiTestContext* user) {
    user->ItemClick("Loss###loss.Train.1/loss export/Export");
    user->ItemClick("//$FOCUSED/Save PNG\u2026");
    user->Yield(4);
  });
  ASSERT_EQ(requested<SavePicture>().size(), 1U);
  const PixelRect rect = requested<SavePicture>().front().rect;
  EXPECT_GT(rect.width, 300.0F);
  EXPECT_GT(rect.x, 200.0F);
  EXPECT_LT(rect.x + rect.width, 1280.0F);
}

class Attention : public UiTest {};

TEST_F(Attention, WhatIsTypedOverASliderIsClampedInTheSameFrame) {
  const Session session = full_session();
  UiState ui;
  Commands commands;
  AttentionView view;
  std::int64_t largest_layer = 0, largest_head = 0;
  const auto draw = [&] {
    ImGui::SetNextWindowSize({800, 600});
    ImGui::Begin("attention");
    view.draw(session, ui, commands);
    ImGui::End();
    largest_layer = std::max(largest_layer, ui.layer);
    largest_head = std::max(largest_head, ui.head);
  };
  drive(draw, [](ImGuiTestContext* user) {
    user->ItemInputValue("**/##layer", 500);
    user->ItemInputValue("**/##head", 500);
  });
  EXPECT_EQ(largest_layer, 29);
  EXPECT_EQ(largest_head, 8);
}

TEST_F(Attention, ArrowsChooseLayerAndHeadAndNothingElse) {
  const Session session = full_session();
  UiState ui;
  Commands commands;
  AttentionView view;
  const auto draw = [&] {
    ImGui::SetNextWindowSize({800, 600});
    ImGui::Begin("attention");
    view.draw(session, ui, commands);
    ImGui::End();
  };
  drive(draw, [](ImGuiTestContext* user) {
    user->WindowFocus("attention");
    const ImGuiID focus = user->UiContext->NavId;
    user->KeyPress(ImGuiKey_DownArrow, 3);
    user->KeyPress(ImGuiKey_RightArrow, 2);
    IM_CHECK_EQ(user->UiContext->NavId, focus);
  });
  EXPECT_EQ(ui.layer, 3);
  EXPECT_EQ(ui.head, 2);
}

class Strips : public UiTest {};

TEST_F(Strips, KeepTheMeanOfEveryStepWhenTheyAreFull) {
  RouterHistory history;
  LoadStrip strip;
  for (int step = 0; step < 5000; ++step) {
    const float first = static_cast<float>(step % 2);
    history.load.push_back({first, 1.0F - first});
    if (step % 700 == 0) strip.follow(history);
  }
  strip.follow(history);
  EXPECT_EQ(strip.steps(), 5000U);
  EXPECT_EQ(strip.pool(), 8U);
  EXPECT_LE(strip.texture().width(), 1024);
  EXPECT_FLOAT_EQ(strip.load(10, 0), 0.5F);
  EXPECT_FLOAT_EQ(strip.load(624, 1), 0.5F);  // the last column, not yet full
}

TEST_F(Strips, StartAnewForAnotherRun) {
  RouterHistory history;
  history.load.assign(100, {0.9F, 0.1F});
  LoadStrip strip;
  strip.follow(history);
  history.load.assign(3, {0.25F, 0.75F});
  strip.follow(history);
  EXPECT_EQ(strip.steps(), 3U);
  EXPECT_FLOAT_EQ(strip.load(0, 1), 0.75F);

  history.load.assign(200, {0.5F, 0.5F});
  strip.follow(history, /*run=*/2);
  EXPECT_FLOAT_EQ(strip.load(0, 1), 0.5F);
}

TEST_F(Strips, ReColourOnlyWhenTheRunGrew) {
  RouterHistory history;
  history.load.assign(10, {0.5F, 0.5F});
  LoadStrip strip;
  strip.follow(history);
  frame([] {});
  ImTextureData* texture = ImGui::GetPlatformIO().Textures.back();
  EXPECT_EQ(texture->Status, ImTextureStatus_OK);
  strip.follow(history);
  EXPECT_EQ(texture->Status, ImTextureStatus_OK);
  history.load.push_back({1.0F, 0.0F});
  strip.follow(history);
  EXPECT_NE(texture->Status, ImTextureStatus_OK);
}

}  // namespace
}  // namespace lathe
