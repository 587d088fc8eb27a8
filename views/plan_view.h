#pragma once

#include "views/view.h"

namespace lathe {

/// Layers of a plan with equal settings.
struct PlanEntry {
  LayerPart part = LayerPart::Attention;
  MlaPlan mla;
  MoePlan moe;
  std::vector<std::int64_t> layers;
};
std::vector<PlanEntry> entries_of(const ConversionPlan& plan);

/// The plan as a list: which layers change how, what that does to sizes, and the text it is calibrated on.
class PlanView : public View {
 public:
  Info info() const override { return {"plan", "Plan", {Place::Center, Place::None, Place::None, Place::None}}; }
  void draw(const Session& session, UiState& ui, Commands& commands) override;

 private:
  void draw_start(const Session& session, UiState& ui, Commands& commands);
  void draw_tools(const Session& session, UiState& ui, Commands& commands);
  void draw_sizes(const Session& session, const UiState& ui);
  void draw_entries(UiState& ui);
  void draw_calibration(UiState& ui, Commands& commands);

  /// Keeps what is derived from the plan and the recipes until one of them changes.
  void prepare(const Session& session, const UiState& ui);

  int gesture_ = 0;
  std::vector<PlanEntry> entries_;
  std::vector<bool> recipe_fits_;
  std::int64_t plan_version_ = 0;
  std::string model_sha256_;
};

/// "8, 10, 12–14".
std::string layer_ranges(const std::vector<std::int64_t>& layers);

}  // namespace lathe
