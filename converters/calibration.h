#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "model/data/plan.h"

namespace lathe {

/// Two sets of windows of one text that share no token.
struct CalibrationWindows {
  at::Tensor calibration_ids_BT;  ///< int64 [num_samples, seq_len]
  at::Tensor held_out_ids_BT;     ///< the same shape
};

/// Cuts a text's ids into windows: those of the first half calibrate, those of the second half are held out. Windows do
/// not overlap and lie evenly over their half. The same ids give the same windows.
/// Throws Error if there are fewer than 2 * num_samples * seq_len ids.
CalibrationWindows calibration_windows(std::span<const std::int32_t> ids, const Calibration& calibration);

}  // namespace lathe
