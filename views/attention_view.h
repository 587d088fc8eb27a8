#pragma once

#include "views/heat_texture.h"
#include "views/view.h"

namespace lathe {

/// The attention weights of one layer and head over the prompt, as a picture, and what one query looks at as text.
class AttentionView : public View {
 public:
  Info info() const override {
    return {"attention", "Attention", {Place::None, Place::None, Place::None, Place::Center}};
  }
  void draw(const Session& session, UiState& ui, Commands& commands) override;

 private:
  void draw_tools(const ModelConfig& config, UiState& ui);
  void draw_source(const AttentionMap& map, const UiState& ui) const;
  void draw_map(const AttentionMap& map, UiState& ui, ImVec2 size);
  void draw_hover(const AttentionMap& map, ImVec2 low, float side);
  void draw_row(const AttentionMap& map, float height);
  void paint(const AttentionMap& map, AttentionScale scale);

  std::string typed_;
  HeatTexture texture_;
  const AttentionMap* painted_ = nullptr;
  std::int64_t painted_version_ = -1;
  AttentionScale painted_scale_ = AttentionScale::Linear;
  ImU32 painted_background_ = 0;
  std::int64_t not_finite_ = 0;
  std::int64_t row_ = -1;  ///< the query cell under the mouse
};

/// A weight's place in [0, 1] on the scale: itself; log10 from 10⁻⁵ to 1; the ratio to the even share of `keys` keys
/// from 0 to 4.
float scaled_weight(float weight, AttentionScale scale, std::int64_t keys);

}  // namespace lathe
