#include "model/data/session.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

Event event(JobId job, auto what) { return {.job = job, .what = std::move(what)}; }

ModelInfo model_at(const std::string& path) {
  ModelInfo info;
  info.path = path;
  return info;
}

TEST(Session, FollowsAJobFromStartToFailure) {
  Session session;
  reduce(session, event(3, JobStarted{"Convert 2 MLA, 0 MoE"}));
  reduce(session, event(3, JobProgress{{"low rank", "layers", 1, 2}, 0.5}));
  ASSERT_NE(session.running_job(), nullptr);
  EXPECT_EQ(session.running_job()->progress.done, 1);

  reduce(session, event(3, JobEnded{JobOutcome::Failed, "no text", 0.7}));
  EXPECT_EQ(session.running_job(), nullptr);
  EXPECT_EQ(session.jobs.back().message, "no text");
}

TEST(Session, ListsAJobFromWhenItIsPosted) {
  Session session;
  reduce(session, Command{1, Undo{}});
  reduce(session, Command{2, SaveModel{"out"}});
  reduce(session, Command{3, SetWatches{}});
  reduce(session, Command{2, CancelJob{2}});
  ASSERT_EQ(session.jobs.size(), 2U);
  EXPECT_EQ(session.jobs.back().title, "Save out");
  EXPECT_TRUE(session.jobs.back().waiting);
  EXPECT_EQ(session.running_job(), nullptr);
  ASSERT_NE(session.next_job(), nullptr);
  EXPECT_EQ(session.next_job()->id, 1);

  reduce(session, event(1, JobStarted{"Undo"}));
  EXPECT_EQ(session.jobs.size(), 2U);
  EXPECT_EQ(session.running_job()->id, 1);
  reduce(session, event(1, JobEnded{}));
  EXPECT_EQ(session.running_job(), nullptr);
  EXPECT_EQ(session.next_job()->id, 2);
  reduce(session, event(2, JobStarted{"Save out"}));
  reduce(session, event(2, JobEnded{}));
  EXPECT_EQ(session.next_job(), nullptr);
}

TEST(Session, KnowsWhetherWhatIsWatchedIsDrawn) {
  Session session;
  reduce(session, Command{1, SetWatches{}});
  reduce(session, Command{2, SetWatches{}});
  reduce(session, event(1, JobEnded{}));
  EXPECT_EQ(session.drawing, 2);
  reduce(session, event(2, JobEnded{}));
  EXPECT_EQ(session.drawing, 0);
}

TEST(Session, LogsWhatFailedAndWhereAModelWasSaved) {
  Session session;
  reduce(session, Command{1, Undo{}});
  reduce(session, event(1, JobEnded{JobOutcome::Failed, "nothing to undo", 0.1}));
  reduce(session, event(2, Saved{.folder = "/models/out"}));
  ASSERT_EQ(session.log.size(), 2U);
  EXPECT_EQ(session.log[0].level, LogLevel::Error);
  EXPECT_EQ(session.log[0].text, "Undo failed: nothing to undo");
  EXPECT_NE(session.log[1].text.find("/models/out"), std::string::npos);
}

TEST(Session, KeepsEveryTrainingStepOfEveryRouter) {
  Session session;
  for (std::int64_t step = 1; step <= 20; ++step) {
    TrainStep done;
    done.step = step;
    done.loss = 1.0F / static_cast<float>(step);
    done.routers = {{.layer = 4, .load = {0.25F, 0.75F}}, {.layer = 9, .load = {0.5F, 0.5F}}};
    reduce(session, event(1, done));
  }
  EXPECT_EQ(session.train.loss.size(), 20U);
  EXPECT_EQ(session.train.routers.at(9).load.size(), 20U);
  EXPECT_FLOAT_EQ(session.train.loss.back(), 0.05F);
}

TEST(Session, ANewTrainingRunStartsNewCurvesAndAResumedOneDoesNot) {
  Session session;
  reduce(session, Command{1, Train{}});
  for (int step = 0; step < 3; ++step) reduce(session, event(1, TrainStep{}));
  EXPECT_EQ(session.train.run, 1);
  reduce(session, Command{2, Train{}});
  reduce(session, event(2, HeldOut{}));
  EXPECT_TRUE(session.train.loss.empty());
  EXPECT_EQ(session.train.run, 2);

  reduce(session, event(2, TrainStep{}));
  reduce(session, Command{3, Train{.settings = {}, .teacher = {}, .resume = true}});
  reduce(session, event(3, TrainStep{}));
  EXPECT_EQ(session.train.loss.size(), 2U);
  EXPECT_EQ(session.train.run, 2);
}

TEST(Session, ATrainingRunThatFailsBeforeItsFirstFigureLeavesTheCurves) {
  Session session;
  reduce(session, Command{1, Train{}});
  reduce(session, event(1, TrainStep{}));
  reduce(session, Command{2, Train{}});
  reduce(session, event(2, JobStarted{"Train"}));
  reduce(session, event(2, JobEnded{JobOutcome::Failed, "no text", 0.1}));
  EXPECT_EQ(session.train.loss.size(), 1U);
}

TEST(Session, TellsTheOriginalsTextFromTheConverted) {
  Session session;
  reduce(session, Command{1, Generate{.settings = {}, .original = false}});
  reduce(session, Command{2, Generate{.settings = {}, .original = true}});
  reduce(session, event(1, TokenWritten{{}, "converted"}));
  reduce(session, event(2, TokenWritten{{}, "original"}));
  EXPECT_EQ(session.writing.text, "converted");
  EXPECT_EQ(session.writing_original.text, "original");
}

TEST(Session, OpeningAModelForgetsResultsButConvertingAndUndoDoNot) {
  Session session;
  ModelInfo converted = model_at("a");
  converted.undo = {"Convert 2 MLA, 0 MoE"};
  ModelInfo undone = model_at("a");
  undone.redo = converted.undo;
  reduce(session, event(1, ModelChanged{model_at("a")}));
  reduce(session, event(2, TrainStep{}));
  reduce(session, event(3, ModelChanged{converted, Receipt{}}));
  reduce(session, event(4, ModelChanged{undone}));
  EXPECT_EQ(session.train.loss.size(), 1U);

  reduce(session, event(5, ModelChanged{model_at("a")}));
  EXPECT_TRUE(session.train.loss.empty());
}

TEST(Session, ShowsTheReceiptOfTheModelAsItIsNow) {
  Session session;
  ModelInfo changed = model_at("a");
  changed.undo = {"Convert 2 MLA, 0 MoE"};
  Receipt first, second;
  first.nll_after = 3.0;
  second.nll_after = 4.0;
  reduce(session, event(1, ModelChanged{changed, first}));
  reduce(session, event(2, ModelChanged{changed, second}));
  EXPECT_EQ(session.receipt->nll_after, 4.0);
  reduce(session, event(3, ModelChanged{changed, first}));
  EXPECT_EQ(session.receipt->nll_after, 3.0);
  reduce(session, event(4, ModelChanged{changed}));
  EXPECT_FALSE(session.receipt.has_value());
}

TEST(Session, ShowsLayersAsTheyAreConvertedUntilTheJobEnds) {
  Session session;
  LayerConverted layer;
  layer.receipt.layer = 7;
  layer.config.attention.kind = AttentionKind::Mla;
  reduce(session, event(5, JobStarted{"Convert"}));
  reduce(session, event(5, layer));
  EXPECT_EQ(session.converting.at(7).attention.kind, AttentionKind::Mla);
  EXPECT_EQ(session.converting_receipts.size(), 1U);

  reduce(session, event(5, JobEnded{}));
  EXPECT_TRUE(session.converting.empty());
  EXPECT_TRUE(session.converting_receipts.empty());
}

TEST(Session, ANewPictureReplacesTheOneOfItsLayer) {
  Session session;
  auto picture = std::make_shared<RouterChoices>();
  picture->layer = 3;
  picture->version = 2;
  reduce(session, Snapshot{std::shared_ptr<const RouterChoices>(picture)});
  EXPECT_EQ(session.router_choices.at(3)->version, 2);

  reduce(session, event(1, ModelChanged{model_at("a")}));
  EXPECT_TRUE(session.router_choices.empty());
}

}  // namespace
}  // namespace lathe
