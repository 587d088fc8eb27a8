#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <functional>

namespace lathe {

// B windows, T tokens of each, D hidden_size

/// Enough tokens at once to keep the processor busy, few enough that a cancel is seen soon.
inline constexpr std::int64_t kTokensAtOnce = 1024;

/// Calls `use(first, count)` for all windows of [B,T,...], some at a time.
inline void for_windows(const at::Tensor& x_BTD, const std::function<void(std::int64_t, std::int64_t)>& use) {
  const std::int64_t windows = x_BTD.size(0);
  const std::int64_t step = std::max<std::int64_t>(1, kTokensAtOnce / x_BTD.size(1));
  for (std::int64_t first = 0; first < windows; first += step) use(first, std::min(step, windows - first));
}

}  // namespace lathe
