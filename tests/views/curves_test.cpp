#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "views/attention_view.h"
#include "views/line_plot.h"
#include "views/spectrum.h"

namespace lathe {
namespace {

Series ramp(std::size_t size) {
  Series series;
  for (std::size_t i = 0; i < size; ++i) series.append(static_cast<float>(i));
  return series;
}

TEST(Curves, FewPointsAreDrawnAsTheyAre) {
  Polyline line;
  decimate(ramp(5), 0, 5, 100, line);
  EXPECT_EQ(line.x, (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_EQ(line.y, (std::vector<double>{0, 1, 2, 3, 4}));
}

TEST(Curves, ManyPointsKeepEveryExtreme) {
  Series series;
  for (int i = 0; i < 100'000; ++i) series.append(i == 54'321 ? 1000.0F : std::sin(static_cast<float>(i)));
  Polyline line;
  decimate(series, 0, series.size(), 300, line);
  EXPECT_LE(line.x.size(), 600U);
  EXPECT_EQ(*std::ranges::max_element(line.y), 1000.0);
}

TEST(Curves, WhatIsNotFiniteIsMarkedNotDropped) {
  Series series = ramp(50);
  series.append(std::numeric_limits<float>::quiet_NaN());
  Polyline line;
  decimate(series, 0, series.size(), 100, line);
  EXPECT_EQ(line.not_finite, (std::vector<double>{51}));
  for (int i = 0; i < 5000; ++i) series.append(1.0F);
  decimate(series, 0, series.size(), 100, line);
  EXPECT_FALSE(line.not_finite.empty());
}

TEST(Curves, StretchesWithoutOneFiniteSampleAreLeftOut) {
  Series series;
  for (int i = 0; i < 4000; ++i) series.append(i >= 1000 && i < 3000 ? std::numeric_limits<float>::quiet_NaN() : 1.0F);
  Polyline line;
  decimate(series, 0, series.size(), 100, line);
  EXPECT_EQ(line.x.size(), line.y.size());
  EXPECT_EQ(line.y.size(), 100U);
  for (const double y : line.y) EXPECT_EQ(y, 1.0);
  EXPECT_EQ(line.not_finite.size(), 50U);
}

TEST(Curves, SmoothingIsTheUnbiasedAverage) {
  Series series;
  series.append(4.0F);
  series.append(8.0F);
  series.append(2.0F);
  Smoothed smoothed;
  const Series& smooth = smoothed.follow(series, 0.5F);
  // TensorBoard: last = last * w + x * (1 - w), divided by 1 - w^n
  EXPECT_FLOAT_EQ(smooth[0], 4.0F);
  EXPECT_FLOAT_EQ(smooth[1], (4.0F * 0.25F + 8.0F * 0.5F) / 0.75F);
  EXPECT_FLOAT_EQ(smooth[2], (4.0F * 0.125F + 8.0F * 0.25F + 2.0F * 0.5F) / 0.875F);
}

TEST(Curves, SmoothingFollowsAGrowingSeriesAndStartsAnewForAnother) {
  Series series = ramp(10);
  Smoothed smoothed;
  smoothed.follow(series, 0.9F);
  series.append(100.0F);
  Smoothed fresh;
  EXPECT_EQ(smoothed.follow(series, 0.9F).back(), fresh.follow(series, 0.9F).back());
  EXPECT_EQ(smoothed.follow(ramp(3), 0.9F).size(), 3U);
  EXPECT_FLOAT_EQ(smoothed.follow(ramp(3), 0.0F).back(), 2.0F);

  smoothed.follow(ramp(3), 0.9F);
  Series longer;
  for (int i = 0; i < 9; ++i) longer.append(50.0F);
  smoothed.follow_run(2);
  EXPECT_FLOAT_EQ(smoothed.follow(longer, 0.9F).back(), 50.0F);
}

TEST(Curves, LostEnergyIsTheTailOfTheSpectrum) {
  const std::vector<double> lost = lost_energy({6.0F, 3.0F, 1.0F});
  EXPECT_DOUBLE_EQ(lost[0], 0.4);
  EXPECT_DOUBLE_EQ(lost[1], 0.1);
  EXPECT_DOUBLE_EQ(lost[2], 0.0);
  EXPECT_TRUE(lost_energy({}).empty());
}

TEST(Curves, AttentionScalesAgreeAtTheirEnds) {
  EXPECT_FLOAT_EQ(scaled_weight(0.25F, AttentionScale::Linear, 8), 0.25F);
  EXPECT_FLOAT_EQ(scaled_weight(1.0F, AttentionScale::Log, 8), 1.0F);
  EXPECT_FLOAT_EQ(scaled_weight(0.0F, AttentionScale::Log, 8), 0.0F);
  EXPECT_FLOAT_EQ(scaled_weight(0.5F, AttentionScale::Uniform, 8), 1.0F);
}

}  // namespace
}  // namespace lathe
