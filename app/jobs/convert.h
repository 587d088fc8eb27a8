#pragma once

#include "app/engine.h"
#include "app/jobs/opened_model.h"
#include "converters/convert.h"
#include "model/data/command.h"

namespace lathe {

/// The windows of the calibration's text, on the model's device. Throws Error if the text cannot be read or is too
/// short; Cancelled.
ConvertInputs calibration_inputs(const OpenedModel& opened, const Calibration& calibration, const Job& job);

/// Converts the current model by the plan and reports each layer as it is done. `opened` is untouched.
/// Throws Error, Cancelled.
Revision convert_opened_model(const OpenedModel& opened, const Convert& convert, const Job& job, const Outbox& outbox);

}  // namespace lathe
