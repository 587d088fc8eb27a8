#pragma once

#include "app/engine.h"
#include "app/jobs/opened_model.h"
#include "model/data/command.h"

namespace lathe {

/// Writes with the current model or its original, token by token into the outbox. What a cancelled job wrote
/// so far is reported too. Throws Error, Cancelled.
Generated generate_with(const OpenedModel& opened, const Generate& generate, const Job& job, const Outbox& outbox);

}  // namespace lathe
