#pragma once

#include "app/jobs/opened_model.h"
#include "model/data/command.h"
#include "model/data/job.h"

namespace lathe {

/// Writes the model in one of the forms of export_targets() with its tokenizer, plan and receipt; Lathe's own form also
/// with the code that transformers loads it with, a README and what training it further needs. Atomic, and read back
/// and compared before it takes the place of what was there. Throws Error, Cancelled.
Exported export_opened_model(const OpenedModel& opened, const ExportModel& what, const Job& job);

/// The same in Lathe's own form: what saving means.
Saved save_opened_model(const OpenedModel& opened, const SaveModel& save, const Job& job);

}  // namespace lathe
