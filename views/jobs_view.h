#pragma once

#include <map>

#include "views/job_speed.h"
#include "views/view.h"

namespace lathe {

/// Every job with its bar, speed, time left and Cancel; the newest first.
class JobsView : public View {
 public:
  Info info() const override { return {"jobs", "Jobs", {Place::Bottom, Place::Bottom, Place::Bottom, Place::Bottom}}; }
  void draw(const Session& session, UiState& ui, Commands& commands) override;

 private:
  void follow(const Session& session);

  std::map<JobId, StageSpeed> speeds_;  ///< of the jobs that run
};

}  // namespace lathe
