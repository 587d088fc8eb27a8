#include "views/job_speed.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

TEST(JobSpeed, IsOfTheStageNotOfTheJob) {
  StageSpeed speed;
  JobView job{.id = 1, .title = {}, .progress = {"Reading", "bytes", 900, 1000}, .seconds = 100.0, .message = {}};
  speed.follow(job);
  job.progress = {"Training", "steps", 0, 60};
  job.seconds = 200.0;
  speed.follow(job);
  EXPECT_EQ(speed.units_per_second(), 0.0);
  EXPECT_LT(speed.seconds_left(), 0.0);
  job.progress.done = 10;
  job.seconds = 220.0;
  speed.follow(job);
  EXPECT_DOUBLE_EQ(speed.units_per_second(), 0.5);
  EXPECT_DOUBLE_EQ(speed.seconds_left(), 100.0);
}

TEST(JobSpeed, ReadsAsTimeForEachWhereThatIsLonger) {
  EXPECT_EQ(speed_text(0.08, "steps").view(), "12.50 s/step");
  EXPECT_EQ(speed_text(3.4, "layers").view(), "3.400 layers/s");
  EXPECT_EQ(speed_text(2e9, "bytes").view(), "2.00 GB/s");
}

}  // namespace
}  // namespace lathe
