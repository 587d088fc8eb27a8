#pragma once

#include "views/view.h"

namespace lathe {

/// What the last conversion did, all measured: loss before and after, sizes, and each layer's error stage by stage.
class ReceiptView : public View {
 public:
  Info info() const override {
    return {"receipt", "Receipt", {Place::Center, Place::None, Place::None, Place::Center}};
  }
  void draw(const Session& session, UiState& ui, Commands& commands) override;

 private:
  void draw_summary(const Receipt& receipt);
  void draw_layers(const std::vector<LayerReceipt>& layers, UiState& ui);
};

}  // namespace lathe
