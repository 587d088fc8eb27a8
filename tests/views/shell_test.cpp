#include "views/shell.h"

#include <imgui_internal.h>

#include <set>

#include "tests/support/sample_session.h"
#include "tests/support/ui_test.h"
#include "views/actions.h"
#include "views/tour.h"

namespace lathe {
namespace {

class TheShell : public ShellTest {
 protected:
  static constexpr ImGuiKeyChord kCtrl = ImGuiMod_Ctrl;
  static constexpr ImGuiKeyChord kShift = ImGuiMod_Shift;
};

struct Case {
  const char* name;
  Session (*session)();
};

class EveryView : public ShellTest, public ::testing::WithParamInterface<Case> {};

TEST_P(EveryView, DrawsInBothThemesAndAllWorkspaces) {
  session_ = GetParam().session();
  for (const Theme theme : {Theme::Dark, Theme::Light}) {
    for (int i = 0; i < kNumWorkspaces; ++i) {
      ui_.settings.theme = theme;
      ui_.settings.workspace = static_cast<Workspace>(i);
      frames(3);
      EXPECT_GT(ImGui::GetDrawData()->TotalVtxCount, 500);
    }
  }
}

TEST_P(EveryView, DrawsInATinyWindowAtTheLargestScale) {
  session_ = GetParam().session();
  ui_.settings.scale = 2.0F;
  resize(480, 320);
  for (int i = 0; i < kNumWorkspaces; ++i) {
    ui_.settings.workspace = static_cast<Workspace>(i);
    frames(3);
    EXPECT_GT(ImGui::GetDrawData()->TotalVtxCount, 500);
    for (const ImGuiWindow* window : ImGui::GetCurrentContext()->Windows) {
      if (!window->WasActive || !window->DockTabIsVisible) continue;
      EXPECT_GT(window->ContentSize.y, 0.0F) << window->Name;
      EXPECT_LE(window->Pos.x + window->Size.x, 480.0F + 1.0F) << window->Name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sessions, EveryView,
                         ::testing::Values(Case{"empty", empty_session},
                                           Case{"opened", [] { return opened_session(); }},
                                           Case{"converting", [] { return converting_session(5); }},
                                           Case{"converted", converted_session},
                                           Case{"training", [] { return trained_session(40, true); }},
                                           Case{"full", full_session}, Case{"failed", failed_session}),
                         [](const auto& session) { return std::string(session.param.name); });

TEST_F(TheShell, OpensTheTinyModelThroughAButton) {
  act([](ImGuiTestContext* user) { user->ItemClick("**/Open the tiny model"); });
  ASSERT_EQ(posted<OpenModel>().size(), 1U);
  EXPECT_EQ(posted<OpenModel>().front().path, "tiny");
}

TEST_F(TheShell, OpensTheTinyModelThroughTheMenu) {
  act([](ImGuiTestContext* user) {
    user->SetRef("##MainMenuBar");
    user->MenuClick("File/Open the tiny model");
  });
  EXPECT_EQ(posted<OpenModel>().size(), 1U);
}

TEST_F(TheShell, ConvertPostsThePlanAndTheDoneJobEmptiesIt) {
  session_ = opened_session();
  ui_.model = session_.model->path;
  ui_.plan.edit("Load recipe", sample_plan());
  act([](ImGuiTestContext* user) { user->ItemClick("top bar/Convert"); });
  ASSERT_EQ(posted<Convert>().size(), 1U);
  EXPECT_EQ(posted<Convert>().front().plan, sample_plan());

  const JobId job = ui_.convert_job;
  reduce(session_, Event{job, JobStarted{"Convert"}});
  frames(2);
  EXPECT_FALSE(ui_.plan.plan().empty());
  session_.model->config = planned_config(sample_plan(), session_.model->config);
  reduce(session_, Event{job, JobEnded{JobOutcome::Done, "", 1.0}});
  frames(2);
  EXPECT_TRUE(ui_.plan.plan().empty());
  EXPECT_EQ(ui_.layer, sample_plan().layers.begin()->first);  // the first that is MLA now
  const ImGuiWindow* receipt = ImGui::FindWindowByName("Receipt###receipt.Design.1");
  ASSERT_NE(receipt, nullptr);
  EXPECT_TRUE(receipt->DockTabIsVisible);
}

TEST_F(TheShell, UndoneConversionBringsItsPlanBack) {
  session_ = opened_session();
  ui_.model = session_.model->path;
  ui_.plan.edit("Load recipe", sample_plan());
  ui_.plan.applied(planned_config(sample_plan(), session_.model->config));
  session_.model->undo = {"Convert 9 MLA, 4 MoE"};
  act([](ImGuiTestContext* user) { user->KeyPress(kCtrl | ImGuiKey_Z); });
  ASSERT_EQ(posted<Undo>().size(), 1U);
  const JobId job = ui_.undo_job;
  reduce(session_, Event{job, JobStarted{"Undo"}});
  reduce(session_, Event{job, JobEnded{JobOutcome::Done, "", 0.1}});
  frames(2);
  EXPECT_EQ(ui_.plan.plan(), sample_plan());
}

TEST_F(TheShell, UndoAndRedoWalkThePlanFirst) {
  session_ = opened_session();
  session_.model->undo = {"Convert"};
  act([](ImGuiTestContext* user) {
    user->ItemClick("**/attention 4");
    user->KeyPress(ImGuiKey_M);
    user->KeyPress(kCtrl | ImGuiKey_Z);
  });
  EXPECT_TRUE(ui_.plan.plan().empty());
  EXPECT_TRUE(posted<Undo>().empty());
  act([](ImGuiTestContext* user) { user->KeyPress(kCtrl | kShift | ImGuiKey_Z); });
  EXPECT_EQ(ui_.plan.plan().num_mla(), 1);
}

TEST_F(TheShell, CancelPostsTheRunningJobsId) {
  session_ = trained_session(20, true);
  act([](ImGuiTestContext* user) { user->ItemClick("top bar/Cancel"); });
  ASSERT_EQ(posted<CancelJob>().size(), 1U);
  EXPECT_EQ(posted<CancelJob>().front().job, session_.running_job()->id);
}

TEST_F(TheShell, ThePaletteFindsAnActionAndRunsIt) {
  session_ = opened_session();
  act([](ImGuiTestContext* user) {
    user->KeyPress(kCtrl | ImGuiKey_K);
    user->KeyChars("suggest");
    user->KeyPress(ImGuiKey_Enter);
  });
  EXPECT_FALSE(ui_.plan.plan().empty());
  EXPECT_EQ(ui_.dialog, Dialog::None);
}

TEST_F(TheShell, DialogsOpenAndCloseByKey) {
  act([](ImGuiTestContext* user) { user->KeyPress(kCtrl | ImGuiKey_Slash); });
  EXPECT_EQ(ui_.dialog, Dialog::Shortcuts);
  act([](ImGuiTestContext* user) { user->KeyPress(ImGuiKey_Escape); });
  EXPECT_EQ(ui_.dialog, Dialog::None);
}

TEST_F(TheShell, NoKeyActsBehindADialog) {
  session_ = converted_session();
  act([](ImGuiTestContext* user) {
    user->ItemClick("**/attention 4");
    user->KeyPress(kCtrl | ImGuiKey_Slash);
    user->KeyPress(ImGuiKey_M);
    user->KeyPress(ImGuiKey_F5);
    user->KeyPress(kCtrl | ImGuiKey_2);
  });
  EXPECT_TRUE(ui_.plan.plan().empty());
  EXPECT_TRUE(posted<Train>().empty());
  EXPECT_EQ(ui_.settings.workspace, Workspace::Design);
}

TEST_F(TheShell, ANoticeGoesWhenItIsOldOrAJobBegins) {
  session_ = opened_session();
  tell(ui_, "Something was done");
  frames(60 * 7);
  EXPECT_FALSE(ui_.notice.text.empty());
  frames(60 * 2);
  EXPECT_TRUE(ui_.notice.text.empty());
  tell(ui_, "Something else was done");
  frames(2);
  reduce(session_, Event{77, JobStarted{"Write"}});
  frames(2);
  EXPECT_TRUE(ui_.notice.text.empty());
}

TEST_F(TheShell, AnErrorStaysUntilTheNextAction) {
  session_ = opened_session();
  tell_error(ui_, "cannot write the file");
  frames(60 * 12);
  EXPECT_FALSE(ui_.notice.text.empty());
  act([](ImGuiTestContext* user) { user->KeyPress(kCtrl | ImGuiKey_T); });
  EXPECT_TRUE(ui_.notice.text.empty());
}

TEST_F(TheShell, WhatWasMeasuredIsSaid) {
  session_ = opened_session();
  act([](ImGuiTestContext* user) { user->KeyPress(ImGuiKey_F7); });
  ASSERT_EQ(posted<Evaluate>().size(), 1U);
  const JobId job = ui_.evaluate_job;
  reduce(session_, Event{job, JobStarted{"Evaluate"}});
  reduce(session_, Event{job, Evaluated{.nll = 3.21, .ppl = 24.8, .tokens = 8192}});
  reduce(session_, Event{job, JobEnded{JobOutcome::Done, "", 1.0}});
  frames(2);
  EXPECT_NE(ui_.notice.text.find("3.210"), std::string::npos) << ui_.notice.text;
}

TEST_F(TheShell, TheThemeAndTheSizeFollowTheirKeys) {
  // Seen while the user is there: a style that a test changed is put back at its end.
  act([](ImGuiTestContext* user) {
    const ImGuiStyle& style = ImGui::GetStyle();
    const float dark = style.Colors[ImGuiCol_WindowBg].x;
    user->KeyPress(kCtrl | ImGuiKey_T);
    IM_CHECK_GT(style.Colors[ImGuiCol_WindowBg].x, dark + 0.5F);
    user->KeyPress(kCtrl | ImGuiKey_Minus, 3);
    IM_CHECK_EQ(style.FontScaleMain, 0.75F);
    IM_CHECK_GE(style.FrameBorderSize, 1.0F);
    IM_CHECK_GE(style.WindowBorderSize, 1.0F);
    user->KeyPress(kCtrl | ImGuiKey_0);
    IM_CHECK_EQ(style.FontScaleMain, 1.0F);
  });
}

TEST_F(TheShell, AFailedJobShowsACardUntilItIsDismissed) {
  session_ = failed_session();
  act([](ImGuiTestContext* user) { user->ItemClick("##failure 6/Dismiss"); });
  EXPECT_TRUE(ui_.dismissed.contains(6));
}

TEST_F(TheShell, PostsWatchesOnlyWhenWhatIsVisibleChanges) {
  session_ = full_session();
  ui_.settings.workspace = Workspace::Inspect;
  frames(5);
  const std::size_t settled = posted<SetWatches>().size();
  ASSERT_GE(settled, 1U);
  EXPECT_EQ(posted<SetWatches>().back().watches.front().kind, PictureKind::Attention);
  frames(10);
  EXPECT_EQ(posted<SetWatches>().size(), settled);
  ui_.head = 2;
  frames(3);
  ASSERT_EQ(posted<SetWatches>().size(), settled + 1);
  EXPECT_EQ(posted<SetWatches>().back().watches.front().head, 2);
  ui_.settings.workspace = Workspace::Design;
  frames(3);
  EXPECT_TRUE(posted<SetWatches>().back().watches.empty());
}

TEST_F(TheShell, QuitAsksFirstWhenTheModelIsNotSaved) {
  session_ = converted_session();
  act([](ImGuiTestContext* user) { user->KeyPress(kCtrl | ImGuiKey_Q); });
  EXPECT_EQ(ui_.dialog, Dialog::ConfirmQuit);
  EXPECT_TRUE(requested<Quit>().empty());
  act([](ImGuiTestContext* user) { user->ItemClick("Quit without saving?/Quit without saving"); });
  EXPECT_EQ(requested<Quit>().size(), 1U);
}

TEST_F(TheShell, OpeningAsksFirstWhenTheModelIsNotSaved) {
  session_ = converted_session();
  act([](ImGuiTestContext* user) {
    user->SetRef("##MainMenuBar");
    user->MenuClick("File/Open the tiny model");
  });
  EXPECT_EQ(ui_.dialog, Dialog::ConfirmOpen);
  EXPECT_TRUE(posted<OpenModel>().empty());
  act([](ImGuiTestContext* user) { user->ItemClick("Open without saving?/Open without saving"); });
  ASSERT_EQ(posted<OpenModel>().size(), 1U);
  EXPECT_EQ(posted<OpenModel>().front().path, "tiny");
  EXPECT_EQ(ui_.dialog, Dialog::None);
}

TEST_F(TheShell, QuitAndOpeningAskFirstWhileAJobRunsAndCancelIt) {
  session_ = trained_session(20, true);
  session_.model->saved = true;
  act([](ImGuiTestContext* user) { user->KeyPress(kCtrl | ImGuiKey_Q); });
  EXPECT_EQ(ui_.dialog, Dialog::ConfirmQuit);
  EXPECT_TRUE(requested<Quit>().empty());
  act([](ImGuiTestContext* user) {
    user->ItemClick("Quit while a job runs?/Keep working");
    user->SetRef("##MainMenuBar");
    user->MenuClick("File/Open the tiny model");
    user->SetRef("");
    user->ItemClick("//Open while a job runs?/Cancel it and open");
  });
  EXPECT_EQ(posted<CancelJob>().size(), 1U);
  EXPECT_EQ(posted<OpenModel>().size(), 1U);
}

TEST_F(TheShell, AnotherModelStartsWithAnEmptyPlan) {
  session_ = opened_session();
  act([](ImGuiTestContext* user) {
    user->ItemClick("**/attention 4");
    user->KeyPress(ImGuiKey_M);
  });
  session_.model->path = "/models/other";
  frames(2);
  EXPECT_TRUE(ui_.plan.plan().empty());
  EXPECT_TRUE(ui_.selection.cells.empty());
}

TEST_F(TheShell, TheTourPostsTheRealCommands) {
  ui_.tour_step = 0;
  act([](ImGuiTestContext* user) { user->ItemClick("tour/Open the tiny model"); });
  EXPECT_EQ(posted<OpenModel>().size(), 1U);
  session_ = opened_session();
  ui_.open_job = 0;
  act([](ImGuiTestContext* user) {
    user->ItemClick("tour/Next");
    user->ItemClick("tour/Load a plan");
    user->ItemClick("tour/Next");
    user->ItemClick("tour/Convert");
  });
  ASSERT_EQ(posted<Convert>().size(), 1U);
  EXPECT_TRUE(plan_problems(posted<Convert>().front().plan, session_.model->config).empty());
}

TEST_F(TheShell, ResetLayoutBringsEveryPanelBack) {
  session_ = opened_session();
  frames(3);
  const char* const board = "Layers###layers.Design.1";
  act([&](ImGuiTestContext* user) {
    user->UndockWindow(board);
    user->WindowMove(board, {600, 300});
    IM_CHECK(!user->WindowInfo(board).Window->DockIsActive);
  });
  ui_.reset_layout = true;
  frames(3);
  act([&](ImGuiTestContext* user) {
    const ImGuiWindow* window = user->WindowInfo(board).Window;
    IM_CHECK(window != nullptr);
    IM_CHECK(window->DockIsActive);
    IM_CHECK_LT(window->Pos.x, 20.0F);
  });
}

}  // namespace
}  // namespace lathe
