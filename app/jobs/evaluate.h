#pragma once

#include "app/engine.h"
#include "app/jobs/opened_model.h"
#include "model/data/command.h"

namespace lathe {

/// Teacher-forced loss of the current model on a text, optionally compared with the original or another model.
/// Throws Error, Cancelled; a per-token file is whole or absent.
Evaluated evaluate_opened(const OpenedModel& opened, const Evaluate& evaluate, const Job& job);

}  // namespace lathe
