#pragma once

#include <array>

#include "views/line_plot.h"
#include "views/view.h"

namespace lathe {

/// Loss and its parts over the steps of the run, and the held-out losses. Every step is kept and drawn.
class LossView : public View {
 public:
  Info info() const override { return {"loss", "Loss", {Place::None, Place::Center, Place::None, Place::None}}; }
  void draw(const Session& session, UiState& ui, Commands& commands) override;

  static constexpr int kRightParts = 3;  ///< KL, balance, learning rate

 private:
  void draw_tools(const Session& session, UiState& ui);
  void draw_loss(const TrainCurves& train, const Settings& settings, ImVec2 size);

  Smoothed loss_, next_token_;
  std::array<Smoothed, kRightParts> right_;
  PlotFollow follow_;
};

}  // namespace lathe
