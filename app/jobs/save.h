#pragma once

#include "app/jobs/opened_model.h"
#include "model/data/command.h"
#include "model/data/job.h"

namespace lathe {

/// Writes the model as a Hugging Face folder with its tokenizer, plan and receipt. Atomic. Throws Error, Cancelled.
Saved save_opened_model(const OpenedModel& opened, const SaveModel& save, const Job& job);

}  // namespace lathe
