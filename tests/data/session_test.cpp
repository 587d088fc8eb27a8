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

TEST(Session, ANewTrainingRunStartsNewCurves) {
  Session session;
  reduce(session, event(1, TrainStep{}));
  reduce(session, Command{2, Train{}});
  EXPECT_TRUE(session.train.loss.empty());

  reduce(session, event(2, TrainStep{}));
  reduce(session, Command{3, Train{.settings = {}, .teacher = {}, .resume = true}});
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
  reduce(session, event(2, Converted{}));
  reduce(session, event(2, ModelChanged{converted}));
  reduce(session, event(3, ModelChanged{undone}));
  EXPECT_TRUE(session.receipt.has_value());

  reduce(session, event(4, ModelChanged{model_at("a")}));
  EXPECT_FALSE(session.receipt.has_value());
}

TEST(Session, ShowsLayersAsTheyAreConvertedUntilTheJobEnds) {
  Session session;
  LayerConverted layer;
  layer.receipt.layer = 7;
  layer.config.attention.kind = AttentionKind::Mla;
  reduce(session, event(5, layer));
  EXPECT_EQ(session.converting.at(7).attention.kind, AttentionKind::Mla);

  reduce(session, event(5, JobEnded{}));
  EXPECT_TRUE(session.converting.empty());
  EXPECT_EQ(session.converting_receipts.size(), 1U);
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
