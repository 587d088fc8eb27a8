#pragma once

#include "views/line_plot.h"
#include "views/view.h"

namespace lathe {

/// Learning rate, gradient norm and speed over the steps of the run.
class OptimiserView : public View {
 public:
  Info info() const override {
    return {"optimiser", "Optimiser", {Place::None, Place::CenterBelow, Place::None, Place::None}};
  }
  void draw(const Session& session, UiState& ui, Commands& commands) override;

 private:
  PlotFollow rate_, norm_, speed_;
};

}  // namespace lathe
