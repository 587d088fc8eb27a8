#pragma once

#include "app/jobs/opened_model.h"
#include "model/data/command.h"
#include "model/data/job.h"

namespace lathe {

/// Opens files, tokenizer and network. Throws Error that says what is wrong with which file; Cancelled.
OpenedModel open_model(const OpenModel& open, const Job& job);

}  // namespace lathe
