#pragma once

#include <string>
#include <vector>

#include "model/data/session.h"

namespace lathe {

/// The losses of a tour on the same held-out windows, nats per token. Throws Error if the session did not train.
struct TourLosses {
  double original = 0.0;
  double converted = 0.0;
  double healed = 0.0;

  /// Share of what the conversion cost that healing brought back.
  double recovered() const { return (converted - healed) / (converted - original); }
};
TourLosses tour_losses(const Session& session);

/// What happened, in a page of Markdown; `figures` are file names shown in it.
std::string tour_report(const Session& session, const std::vector<std::string>& figures);

}  // namespace lathe
