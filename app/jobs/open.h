#pragma once

#include "app/jobs/opened_model.h"
#include "model/data/command.h"
#include "model/data/job.h"
#include "model/io/checkpoint.h"

namespace lathe {

/// The receipt of a model that was converted and saved. Throws Error if there is one that cannot be read.
std::optional<Receipt> receipt_beside(const Checkpoint& checkpoint);

/// Opens files, tokenizer and network. Throws Error that says what is wrong with which file; Cancelled.
OpenedModel open_model(const OpenModel& open, const Job& job);

}  // namespace lathe
