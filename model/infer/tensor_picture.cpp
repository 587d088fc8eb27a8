#include "model/infer/tensor_picture.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace lathe {
namespace {

constexpr std::int64_t kValuesAtOnce = std::int64_t{1} << 21;  // 8 MB of fp32; also between looks at a request to stop

/// All dimensions but the last as rows.
at::Tensor as_matrix(const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach();
  if (values.dim() == 0) return values.reshape({1, 1});
  return values.reshape({values.numel() == 0 ? 0 : values.numel() / values.size(-1), values.size(-1)});
}

/// Calls `see(first_row, values)` with some rows [n, columns] as fp32 after the other.
template <typename See>
void for_rows(const at::Tensor& matrix, const Job& job, See see) {
  const std::int64_t rows = matrix.numel() == 0 ? 0 : matrix.size(0);
  const std::int64_t at_once = std::max<std::int64_t>(1, kValuesAtOnce / std::max<std::int64_t>(1, matrix.size(1)));
  for (std::int64_t first = 0; first < rows; first += at_once) {
    job.check();
    const at::Tensor some =
        matrix.narrow(0, first, std::min(at_once, rows - first)).to(at::kCPU, at::kFloat).contiguous();
    see(first, std::span(some.const_data_ptr<float>(), static_cast<std::size_t>(some.numel())));
  }
}

struct Sums {
  double sum = 0.0;
  std::int64_t finite = 0;
};

Sums measure_range(const at::Tensor& matrix, TensorFigures& figures, const Job& job) {
  Sums sums;
  float low = std::numeric_limits<float>::infinity();
  float high = -low;
  for_rows(matrix, job, [&](std::int64_t, std::span<const float> values) {
    for (const float value : values) {
      if (!std::isfinite(value)) {
        ++(std::isnan(value) ? figures.nan : figures.inf);
        continue;
      }
      low = std::min(low, value);
      high = std::max(high, value);
      sums.sum += static_cast<double>(value);
      ++sums.finite;
    }
  });
  if (sums.finite == 0) return sums;
  figures.min = static_cast<double>(low);
  figures.max = static_cast<double>(high);
  figures.mean = sums.sum / static_cast<double>(sums.finite);
  return sums;
}

/// The cells that a side of `length` is cut into: all cover `size` but the last.
struct Cells {
  std::int64_t size = 1;
  std::int64_t count = 0;
};

Cells cells_of(std::int64_t length, std::int64_t most) {
  const std::int64_t size = std::max<std::int64_t>(1, (length + most - 1) / most);
  return {size, (length + size - 1) / size};
}

void fit(std::int64_t& first, std::int64_t& length, std::int64_t whole) {
  if (length <= 0 || length > whole) length = whole;
  first = std::clamp<std::int64_t>(first, 0, whole - length);
}

/// Lowest, highest and sum of each cell, while values come row by row.
class CellSums {
 public:
  CellSums(const TensorRegion& region, Cells rows, Cells columns)
      : columns_(region.columns), tall_(rows), wide_(columns) {
    const auto cells = static_cast<std::size_t>(rows.count * columns.count);
    low_.assign(cells, std::numeric_limits<float>::infinity());
    high_.assign(cells, -std::numeric_limits<float>::infinity());
    sum_.assign(cells, 0.0);
    count_.assign(cells, 0);
  }

  void add_row(std::int64_t row, std::span<const float> values) {
    const std::int64_t base = row / tall_.size * wide_.count;
    for (std::int64_t column = 0; column < columns_; ++column) {
      const auto cell = static_cast<std::size_t>(base + column / wide_.size);
      const float value = values[static_cast<std::size_t>(column)];
      low_[cell] = std::min(low_[cell], value);
      high_[cell] = std::max(high_[cell], value);
      sum_[cell] += static_cast<double>(value);  // stays NaN or infinite once it is
      ++count_[cell];
    }
  }

  void finish(TensorPicture& picture) {
    for (std::size_t cell = 0; cell < sum_.size(); ++cell) {
      if (!std::isfinite(sum_[cell])) {
        low_[cell] = high_[cell] = std::numeric_limits<float>::quiet_NaN();
      }
      const double mean = sum_[cell] / static_cast<double>(count_[cell]);
      picture.mean.push_back(std::isfinite(mean) ? static_cast<float>(mean) : low_[cell]);
    }
    picture.tall = tall_.count;
    picture.wide = wide_.count;
    picture.low = std::move(low_);
    picture.high = std::move(high_);
  }

 private:
  std::int64_t columns_;
  Cells tall_, wide_;
  std::vector<float> low_, high_;
  std::vector<double> sum_;
  std::vector<std::int64_t> count_;
};

}  // namespace

TensorFigures tensor_figures(const at::Tensor& tensor, std::int64_t bins, const Job& job) {
  TensorFigures figures;
  const at::Tensor matrix = as_matrix(tensor);
  const Sums sums = measure_range(matrix, figures, job);
  if (sums.finite == 0) return figures;
  figures.histogram.assign(static_cast<std::size_t>(bins), 0);
  const double width = (figures.max - figures.min) / static_cast<double>(bins);
  double squares = 0.0;
  for_rows(matrix, job, [&](std::int64_t, std::span<const float> values) {
    for (const float value : values) {
      if (!std::isfinite(value)) continue;
      const double offset = static_cast<double>(value) - figures.mean;
      squares += offset * offset;
      const double at = width > 0 ? (static_cast<double>(value) - figures.min) / width : 0.0;
      ++figures.histogram[static_cast<std::size_t>(std::min(at, static_cast<double>(bins - 1)))];
    }
  });
  figures.stddev = std::sqrt(squares / static_cast<double>(sums.finite));
  return figures;
}

TensorPicture tensor_picture(const at::Tensor& tensor, TensorRegion region, std::int64_t max_side, const Job& job) {
  const at::Tensor matrix = as_matrix(tensor);
  TensorPicture picture;
  picture.shape = tensor.sizes().vec();
  picture.rows = matrix.size(0);
  picture.columns = matrix.size(1);
  if (matrix.numel() == 0) return picture;
  fit(region.first_row, region.rows, picture.rows);
  fit(region.first_column, region.columns, picture.columns);
  picture.region = region;
  CellSums cells(region, cells_of(region.rows, max_side), cells_of(region.columns, max_side));
  const at::Tensor part =
      matrix.narrow(0, region.first_row, region.rows).narrow(1, region.first_column, region.columns);
  for_rows(part, job, [&](std::int64_t first, std::span<const float> values) {
    const auto columns = static_cast<std::size_t>(region.columns);
    for (std::size_t row = 0; row * columns < values.size(); ++row) {
      cells.add_row(first + static_cast<std::int64_t>(row), values.subspan(row * columns, columns));
    }
  });
  cells.finish(picture);
  return picture;
}

}  // namespace lathe
