#pragma once

#include "views/view.h"

namespace lathe {

/// Settings of a healing run with Start and Stop.
class TrainView : public View {
 public:
  Info info() const override { return {"train", "Training", {Place::None, Place::Right, Place::None, Place::None}}; }
  void draw(const Session& session, UiState& ui, Commands& commands) override;
};

}  // namespace lathe
