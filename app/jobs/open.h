#pragma once

#include "app/jobs/opened_model.h"
#include "model/data/command.h"
#include "model/data/job.h"
#include "model/io/checkpoint.h"

namespace lathe {

/// The receipt of a model that was converted and saved. One that cannot be read, or that is of a model with fewer or
/// more layers, costs its figures, not the model: `warnings` gets a sentence then.
std::optional<Receipt> receipt_beside(const Checkpoint& checkpoint, std::int64_t num_layers,
                                      std::vector<std::string>& warnings);

/// Opens files, tokenizer and network. Throws Error that says what is wrong with which file; Cancelled.
OpenedModel open_model(const OpenModel& open, const Job& job);

}  // namespace lathe
