#include "model/infer/tensor_picture.h"

#include <ATen/Context.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/histc.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace lathe {
namespace {

constexpr double kNear = 1e-6;

TEST(TensorFigures, EqualWhatAtenMeasures) {
  at::manual_seed(1);
  const at::Tensor values = at::randn({300, 7001});  // more than is read at once
  const TensorFigures figures = tensor_figures(values, 32);
  const at::Tensor doubles = values.to(at::kDouble);
  EXPECT_EQ(figures.min, doubles.min().item<double>());
  EXPECT_EQ(figures.max, doubles.max().item<double>());
  EXPECT_NEAR(figures.mean, doubles.mean().item<double>(), 1e-9);
  EXPECT_NEAR(figures.stddev, doubles.std(/*unbiased=*/false).item<double>(), 1e-9);
  const at::Tensor counts = at::histc(doubles, 32);
  for (std::int64_t bin = 0; bin < 32; ++bin)
    EXPECT_NEAR(static_cast<double>(figures.histogram[static_cast<std::size_t>(bin)]), counts[bin].item<double>(), 1.0);
  EXPECT_EQ(std::accumulate(figures.histogram.begin(), figures.histogram.end(), std::int64_t{0}), values.numel());
}

TEST(TensorFigures, CountWhatIsNotFiniteAndLeaveItOut) {
  at::Tensor values = at::arange(12, at::kFloat).reshape({3, 4});
  values[0][0] = std::nan("");
  values[1][1] = INFINITY;
  values[2][3] = -INFINITY;
  const TensorFigures figures = tensor_figures(values, 4);
  EXPECT_EQ(figures.nan, 1);
  EXPECT_EQ(figures.inf, 2);
  EXPECT_EQ(figures.min, 1.0);
  EXPECT_EQ(figures.max, 10.0);
  EXPECT_NEAR(figures.mean, (66.0 - 0 - 5 - 11) / 9, kNear);
}

TEST(TensorFigures, OfEqualOrNoFiniteValuesAreFinite) {
  const TensorFigures ones = tensor_figures(at::ones({5}, at::kBFloat16), 4);
  EXPECT_EQ(ones.min, 1.0);
  EXPECT_EQ(ones.stddev, 0.0);
  EXPECT_EQ(ones.histogram, (std::vector<std::int64_t>{5, 0, 0, 0}));
  const TensorFigures none = tensor_figures(at::full({5}, NAN), 4);
  EXPECT_EQ(none.nan, 5);
  EXPECT_EQ(none.max, 0.0);
  EXPECT_TRUE(none.histogram.empty());
}

/// What a cell must hold: rows and columns [first, last) of the matrix.
at::Tensor block(const at::Tensor& matrix, std::int64_t row, std::int64_t rows, std::int64_t column,
                 std::int64_t columns) {
  return matrix.slice(0, row, row + rows).slice(1, column, column + columns);
}

TEST(TensorPicture, CellsAreTheRegionsBlocks) {
  at::manual_seed(2);
  const at::Tensor values = at::randn({2, 35, 50});  // seen as 70 rows of 50
  const at::Tensor matrix = values.reshape({70, 50});
  const TensorRegion region{.first_row = 20, .rows = 45, .first_column = 7, .columns = 40};
  const TensorPicture picture = tensor_picture(values, region, 10);
  EXPECT_EQ(picture.rows, 70);
  EXPECT_EQ(picture.columns, 50);
  EXPECT_EQ(picture.region, region);
  ASSERT_EQ(picture.tall, 9);   // of 5 rows
  ASSERT_EQ(picture.wide, 10);  // of 4 columns
  for (std::int64_t i = 0; i < picture.tall; ++i) {
    for (std::int64_t j = 0; j < picture.wide; ++j) {
      const at::Tensor cell = block(matrix, 20 + 5 * i, 5, 7 + 4 * j, 4);
      const auto at = static_cast<std::size_t>(i * picture.wide + j);
      EXPECT_EQ(picture.low[at], cell.min().item<float>());
      EXPECT_EQ(picture.high[at], cell.max().item<float>());
      EXPECT_NEAR(picture.mean[at], cell.mean().item<float>(), kNear);
    }
  }
}

TEST(TensorPicture, ZoomedInEveryValueHasItsCell) {
  const at::Tensor values = at::arange(64, at::kFloat).reshape({8, 8});
  const TensorPicture picture = tensor_picture(values, {2, 3, 5, 2}, 256);
  EXPECT_EQ(picture.mean, (std::vector<float>{21, 22, 29, 30, 37, 38}));
}

TEST(TensorPicture, ARegionThatLeavesTheTensorIsMovedIntoIt) {
  const at::Tensor values = at::arange(64, at::kFloat).reshape({8, 8});
  EXPECT_EQ(tensor_picture(values, {}, 256).region, (TensorRegion{0, 8, 0, 8}));
  EXPECT_EQ(tensor_picture(values, {7, 4, -3, 2}, 256).region, (TensorRegion{4, 4, 0, 2}));
  EXPECT_EQ(tensor_picture(values, {0, 100, 0, 100}, 256).region, (TensorRegion{0, 8, 0, 8}));
}

TEST(TensorPicture, ACellWithOneValueThatIsNotFiniteSaysSo) {
  at::Tensor values = at::zeros({4, 4});
  values[3][0] = -INFINITY;
  const TensorPicture picture = tensor_picture(values, {}, 2);
  EXPECT_TRUE(std::isnan(picture.low[2]) && std::isnan(picture.high[2]) && std::isnan(picture.mean[2]));
  EXPECT_EQ(picture.mean[0], 0.0F);
}

TEST(TensorPicture, VectorsAreOneRowAndAnEmptyTensorHasNoCells) {
  const TensorPicture vector = tensor_picture(at::ones({576}), {}, 100);
  EXPECT_EQ(vector.rows, 1);
  EXPECT_EQ(vector.tall, 1);
  EXPECT_EQ(vector.wide, 96);
  EXPECT_EQ(tensor_picture(at::empty({0, 5}), {}, 100).tall, 0);
}

TEST(TensorPicture, StopsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  const Job job(stop.get_token(), {});
  EXPECT_THROW(tensor_picture(at::ones({4, 4}), {}, 2, job), Cancelled);
  EXPECT_THROW(tensor_figures(at::ones({4, 4}), 2, job), Cancelled);
}

}  // namespace
}  // namespace lathe
