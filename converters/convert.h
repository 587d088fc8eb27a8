#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "model/data/job.h"
#include "model/data/plan.h"
#include "model/data/receipt.h"
#include "model/nn/layer.h"

namespace lathe {

/// On what a conversion is calibrated and measured; see calibration.h for how a text becomes both.
struct ConvertInputs {
  at::Tensor calibration_ids_BT;  ///< int64, one row a window
  at::Tensor held_out_ids_BT;     ///< int64, text that calibration does not see
  std::string calibration_sha256;
  std::string code_version;
  /// Called after each converted part with the model so far; may be empty.
  std::function<void(const LayerReceipt&, const Model&)> on_layer;
};

/// A converted model and what the conversion cost.
struct Conversion {
  Model model;
  Receipt receipt;
};

/// Applies the plan layer by layer, each calibrated on hidden states that passed the layers converted so far.
/// `original` stays as it is; layers that the plan does not name are the very same objects in the result.
/// Throws Error with all plan_problems(), or if a loss, a stage's error or a weight is not finite; Cancelled.
Conversion convert(const Model& original, const ConversionPlan& plan, const ConvertInputs& inputs, const Job& job = {});

}  // namespace lathe
