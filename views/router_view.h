#pragma once

#include <map>

#include "views/line_plot.h"
#include "views/load_strip.h"
#include "views/view.h"

namespace lathe {

/// How MoE layers spread their tokens: load per expert over the run, balance curves, and the choice of each token of
/// the prompt.
class RouterView : public View {
 public:
  Info info() const override {
    return {"router", "Router", {Place::None, Place::CenterBelow, Place::None, Place::Center}};
  }
  void draw(const Session& session, UiState& ui, Commands& commands) override;

 private:
  void draw_load(const Session& session);
  void draw_balance(const Session& session);
  void draw_tokens(const Session& session, UiState& ui, Commands& commands);

  std::map<std::int64_t, LoadStrip> strips_;
  PlotFollow entropy_, violation_, dead_;
  int page_ = 0;
};

/// The first layer with routed experts, or -1.
std::int64_t first_moe_layer(const ModelConfig& config);

}  // namespace lathe
