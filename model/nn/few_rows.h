#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <span>

namespace lathe {

// M rows of input, I values in each, O outputs

/// y = x W^T + b on plain memory: x [M,I], W [O,I], b [O] or null, y [M,O], all of one dtype, rows without gaps.
struct FewRowsProduct {
  const void* x_MI = nullptr;
  const void* weight_OI = nullptr;
  const void* bias_O = nullptr;
  void* y_MO = nullptr;
  std::int64_t rows = 0;
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
};

/// From here on blocked matrix products, which read the weights once for many rows, are faster.
inline constexpr std::int64_t kMostFewRows = 4;

/// Whether this processor has the instructions that run_few_rows needs for `dtype` (f32: AVX-512, bf16: AVX512-BF16).
bool has_few_rows_kernel(c10::ScalarType dtype);

/// Runs the products, which must not depend on each other, in one pass of all threads. Sums are fp32. Such products
/// read every weight once and use it once: their time is that of the memory.
void run_few_rows(std::span<const FewRowsProduct> products, c10::ScalarType dtype);

}  // namespace lathe
