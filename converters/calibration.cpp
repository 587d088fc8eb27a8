#include "converters/calibration.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "model/data/error.h"

namespace lathe {
namespace {

at::Tensor spread_windows(std::span<const std::int32_t> ids, const Calibration& calibration) {
  const std::int64_t spare = static_cast<std::int64_t>(ids.size()) - calibration.num_samples * calibration.seq_len;
  const at::Tensor windows_BT = at::empty({calibration.num_samples, calibration.seq_len}, at::kLong);
  for (std::int64_t window = 0; window < calibration.num_samples; ++window) {
    // Equal gaps between the windows, the first and the last one at the ends.
    const std::int64_t gap = calibration.num_samples > 1 ? spare * window / (calibration.num_samples - 1) : 0;
    const auto from = ids.begin() + static_cast<std::ptrdiff_t>(window * calibration.seq_len + gap);
    std::copy_n(from, calibration.seq_len, windows_BT.data_ptr<std::int64_t>() + window * calibration.seq_len);
  }
  return windows_BT;
}

}  // namespace

CalibrationWindows calibration_windows(std::span<const std::int32_t> ids, const Calibration& calibration) {
  check(calibration.num_samples >= 1 && calibration.seq_len >= 2, "[calibration] got num_samples ",
        calibration.num_samples, " and seq_len ", calibration.seq_len, ", expected at least 1 and 2");
  const std::int64_t have = static_cast<std::int64_t>(ids.size());
  // Compared by division: the product of two settings may not fit.
  check(calibration.num_samples <= have / 2 / calibration.seq_len, "[calibration] the text has ", have,
        " tokens, expected at least 2 x num_samples ", calibration.num_samples, " x seq_len ", calibration.seq_len,
        " (half calibrates, half is held out); take a longer text or fewer samples");
  const std::size_t half = ids.size() / 2;
  return {spread_windows(ids.first(half), calibration), spread_windows(ids.subspan(half), calibration)};
}

}  // namespace lathe
