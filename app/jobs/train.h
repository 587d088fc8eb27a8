#pragma once

#include "app/engine.h"
#include "app/jobs/opened_model.h"
#include "app/jobs/pictures.h"
#include "model/data/command.h"

namespace lathe {

/// What a training run talks to while it goes on.
struct TrainWatchers {
  const Job& job;
  const Outbox& outbox;
  Pictures& pictures;
};

/// Trains a copy of what is to be trained and reports every step. `opened` is untouched. Throws Error, Cancelled.
Revision train_opened_model(const OpenedModel& opened, const Train& train, const TrainWatchers& watchers);

}  // namespace lathe
