#include "model/train/schedule.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

TrainSettings schedule_settings() {
  TrainSettings settings;
  settings.steps = 110;
  settings.warmup_steps = 10;
  settings.lr = 2.0;
  settings.min_lr_ratio = 0.1;
  return settings;
}

TEST(LearningRate, RisesInALineToItsPeak) {
  const TrainSettings settings = schedule_settings();
  EXPECT_DOUBLE_EQ(learning_rate(settings, 1), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(settings, 5), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(settings, 10), 2.0);
}

TEST(LearningRate, FallsByACosineToItsLeast) {
  const TrainSettings settings = schedule_settings();
  EXPECT_NEAR(learning_rate(settings, 60), 2.0 * (0.1 + 0.9 * 0.5), 1e-12);
  EXPECT_NEAR(learning_rate(settings, 110), 0.2, 1e-12);
  EXPECT_NEAR(learning_rate(settings, 200), 0.2, 1e-12);
}

TEST(LearningRate, NeedsNoWarmUpAndSurvivesOneThatIsLongerThanTheRun) {
  TrainSettings settings = schedule_settings();
  settings.warmup_steps = 0;
  EXPECT_NEAR(learning_rate(settings, 110), 0.2, 1e-12);
  settings.warmup_steps = 500;
  EXPECT_DOUBLE_EQ(learning_rate(settings, 110), 2.0 * 110 / 500);
}

}  // namespace
}  // namespace lathe
