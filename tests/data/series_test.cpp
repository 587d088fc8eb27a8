#include "model/data/series.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace lathe {
namespace {

std::vector<float> random_samples(std::size_t count) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> samples(count);
  std::ranges::generate(samples, [&] { return normal(random); });
  return samples;
}

Series series_of(const std::vector<float>& samples) {
  Series series;
  for (const float sample : samples) series.append(sample);
  return series;
}

TEST(Series, ExtentOfAnyStretchEqualsTheExtentOfItsSamples) {
  const auto samples = random_samples(5000);
  const Series series = series_of(samples);
  std::mt19937 random(11);
  for (int trial = 0; trial < 2000; ++trial) {
    std::size_t first = random() % samples.size();
    std::size_t last = random() % samples.size();
    if (first > last) std::swap(first, last);
    ++last;
    const auto [low, high] = std::minmax_element(samples.begin() + static_cast<std::ptrdiff_t>(first),
                                                 samples.begin() + static_cast<std::ptrdiff_t>(last));
    const Extent extent = series.extent(first, last);
    ASSERT_EQ(extent.low, *low) << first << ".." << last;
    ASSERT_EQ(extent.high, *high) << first << ".." << last;
  }
}

TEST(Series, IsRightAfterEveryAppend) {
  const auto samples = random_samples(700);
  Series series;
  float low = samples[0];
  float high = samples[0];
  for (const float sample : samples) {
    series.append(sample);
    low = std::min(low, sample);
    high = std::max(high, sample);
    ASSERT_EQ(series.extent(0, series.size()).low, low) << series.size();
    ASSERT_EQ(series.extent(0, series.size()).high, high) << series.size();
  }
}

TEST(Series, ColumnsNeverLoseASpike) {
  auto samples = random_samples(100'000);
  samples[73'331] = 99.0F;
  const auto columns = series_of(samples).columns(0, samples.size(), 640);
  ASSERT_EQ(columns.size(), 640U);
  EXPECT_EQ(std::ranges::max(columns, {}, &Extent::high).high, 99.0F);
}

TEST(Series, MarksNotANumberWithoutSpoilingTheExtent) {
  auto samples = random_samples(1000);
  samples[500] = NAN;
  const Series series = series_of(samples);
  EXPECT_TRUE(series.extent(0, 1000).has_nan);
  EXPECT_TRUE(std::isfinite(series.extent(0, 1000).high));
  EXPECT_FALSE(series.extent(501, 1000).has_nan);
}

TEST(Series, MoreColumnsThanSamplesRepeatsThem) {
  const auto columns = series_of({1.0F, 2.0F, 3.0F}).columns(0, 3, 6);
  ASSERT_EQ(columns.size(), 6U);
  EXPECT_EQ(columns.front().low, 1.0F);
  EXPECT_EQ(columns.back().high, 3.0F);
}

TEST(Series, AnEmptyStretchHasNoColumns) { EXPECT_TRUE(Series{}.columns(0, 10, 5).empty()); }

}  // namespace
}  // namespace lathe
