#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "model/data/plan.h"

namespace lathe {

/// Two sets of windows of one text that share no token.
struct CalibrationWindows {
  at::Tensor calibration_ids_BT;  ///< int64 [num_samples, seq_len]
  at::Tensor held_out_ids_BT;     ///< int64 [at most num_samples, seq_len]
};

/// Cuts a text's ids into windows: held-out ones from the part that split_text() holds out of training too, the others
/// from the rest. Windows do not overlap and lie evenly over their part. The same ids give the same windows.
/// Throws Error if the text is too short.
CalibrationWindows calibration_windows(std::span<const std::int32_t> ids, const Calibration& calibration);

}  // namespace lathe
