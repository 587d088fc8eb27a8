#pragma once

#include "views/view.h"

namespace lathe {

/// What the engine said, line by line.
class LogView : public View {
 public:
  Info info() const override { return {"log", "Log", {Place::Bottom, Place::Bottom, Place::Bottom, Place::Bottom}}; }
  void draw(const Session& session, UiState& ui, Commands& commands) override;
};

}  // namespace lathe
