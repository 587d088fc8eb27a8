#include "app/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

namespace lathe {
namespace {

using namespace std::chrono_literals;

/// Trains until it is stopped, makes a picture of each watch, fails to save. Looking at layer 7 takes for ever.
class FakeEngine : public Engine {
 public:
  void run(const Command& command, const Job& job, const Outbox& outbox) override {
    if (std::holds_alternative<Train>(command.what)) {
      for (std::int64_t step = 0;; ++step) {
        job.progress("Training", "steps", step, 1'000'000);
        std::this_thread::sleep_for(1ms);
      }
    }
    if (std::holds_alternative<SaveModel>(command.what)) throw Error("the disk is full");
    for (const Watch& watch : outbox.watches()) {
      while (watch.layer == 7 && std::holds_alternative<SetWatches>(command.what) && !has_undone_) {
        drawing_ = true;
        job.check();
        std::this_thread::sleep_for(1ms);
      }
      auto map = std::make_shared<AttentionMap>();
      map->layer = watch.layer;
      map->version = ++version_;
      outbox.picture(std::shared_ptr<const AttentionMap>(std::move(map)));
    }
    has_undone_ = has_undone_ || std::holds_alternative<Undo>(command.what);
  }

  static inline std::atomic<bool> drawing_ = false;

 private:
  std::int64_t version_ = 0;
  bool has_undone_ = false;
};

class WorkerTest : public testing::Test {
 protected:
  /// All events up to the end of `job`.
  std::vector<Event> until_end(JobId job) {
    std::vector<Event> seen;
    for (int patience = 0; patience < 600; ++patience) {
      for (Event& event : worker_.wait_events(100ms)) {
        seen.push_back(event);
        if (event.job == job && std::holds_alternative<JobEnded>(event.what)) return seen;
      }
    }
    ADD_FAILURE() << "job " << job << " did not end";
    return seen;
  }

  static JobOutcome outcome(const std::vector<Event>& events) { return std::get<JobEnded>(events.back().what).outcome; }

  Worker worker_{[] { return std::make_unique<FakeEngine>(); }, [] {}};
};

TEST_F(WorkerTest, AFailedJobSaysWhyAndTheNextOneRuns) {
  worker_.post({1, SaveModel{"out"}});
  const auto events = until_end(1);
  EXPECT_EQ(outcome(events), JobOutcome::Failed);
  EXPECT_EQ(std::get<JobEnded>(events.back().what).message, "the disk is full");

  worker_.post({2, Undo{}});
  EXPECT_EQ(outcome(until_end(2)), JobOutcome::Done);
}

TEST_F(WorkerTest, CancelStopsARunningJob) {
  worker_.post({1, Train{}});
  worker_.post({0, CancelJob{1}});
  EXPECT_EQ(outcome(until_end(1)), JobOutcome::Cancelled);
}

TEST_F(WorkerTest, CancelReachesAJobThatStillWaits) {
  worker_.post({1, Train{}});
  worker_.post({2, Undo{}});
  worker_.post({0, CancelJob{2}});
  worker_.post({0, CancelJob{1}});
  EXPECT_EQ(outcome(until_end(2)), JobOutcome::Cancelled);
}

TEST_F(WorkerTest, StartAndEndFrameTheEventsOfAJob) {
  worker_.post({7, Undo{}});
  const auto events = until_end(7);
  EXPECT_EQ(std::get<JobStarted>(events.front().what).title, "Undo");
}

TEST_F(WorkerTest, APictureReplacesAnOlderOneOfTheSameLayer) {
  worker_.post(
      {1, SetWatches{{Watch{.kind = PictureKind::Attention, .layer = 3, .head = 0, .max_side = 8, .prompt = {}}}}});
  until_end(1);
  worker_.post({2, Undo{}});
  worker_.post({3, Undo{}});
  until_end(3);
  const auto pictures = worker_.pictures();
  ASSERT_EQ(pictures.size(), 1U);
  EXPECT_GE(std::get<0>(pictures[0])->version, 2);
  EXPECT_TRUE(worker_.pictures().empty());
}

TEST_F(WorkerTest, DrawingMakesWayForAJobAndGoesOnAfterIt) {
  FakeEngine::drawing_ = false;
  worker_.post(
      {1, SetWatches{{Watch{.kind = PictureKind::Attention, .layer = 7, .head = 0, .max_side = 8, .prompt = {}}}}});
  while (!FakeEngine::drawing_) std::this_thread::sleep_for(1ms);
  worker_.post({2, Undo{}});
  const auto events = until_end(1);
  EXPECT_EQ(outcome(events), JobOutcome::Done);
  ASSERT_EQ(events.size(), 3U);  // start and end of the job, then the one end of the drawing
  EXPECT_EQ(events[1].job, 2);
}

TEST_F(WorkerTest, EndingWhileAJobRunsStopsIt) { worker_.post({1, Train{}}); }

TEST(Worker, AnEngineThatCannotStartIsReported) {
  Worker worker([]() -> std::unique_ptr<Engine> { throw Error("no memory"); }, [] {});
  const auto events = worker.wait_events(10s);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<LogLine>(events[0].what).text, "no memory");

  worker.post({1, Undo{}});
  std::vector<Event> seen;
  while (seen.empty() || !std::holds_alternative<JobEnded>(seen.back().what)) {
    const auto more = worker.wait_events(10s);
    ASSERT_FALSE(more.empty());
    seen.insert(seen.end(), more.begin(), more.end());
  }
  EXPECT_EQ(std::get<JobEnded>(seen.back().what).outcome, JobOutcome::Failed);
  EXPECT_NE(std::get<JobEnded>(seen.back().what).message.find("no memory"), std::string::npos);
}

}  // namespace
}  // namespace lathe
