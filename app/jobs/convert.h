#pragma once

#include "app/engine.h"
#include "app/jobs/opened_model.h"
#include "model/data/command.h"

namespace lathe {

/// Converts the current model by the plan and reports each layer as it is done. `opened` is untouched.
/// Throws Error, Cancelled.
Revision convert_opened_model(const OpenedModel& opened, const Convert& convert, const Job& job, const Outbox& outbox);

}  // namespace lathe
