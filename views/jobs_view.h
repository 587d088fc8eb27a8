#pragma once

#include "views/view.h"

namespace lathe {

/// Every job with its bar, speed, time left and Cancel; the newest first.
class JobsView : public View {
 public:
  Info info() const override { return {"jobs", "Jobs", {Place::Bottom, Place::Bottom, Place::Bottom, Place::Bottom}}; }
  void draw(const Session& session, UiState& ui, Commands& commands) override;
};

/// Seconds that are left at the speed so far; negative if not known yet.
double seconds_left(const JobView& job);

}  // namespace lathe
