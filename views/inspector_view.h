#pragma once

#include "views/view.h"

namespace lathe {

/// What is selected on the board: its kind and sizes, the method and settings of its plan with exact predictions, its
/// receipt with the cost of each stage, and what undo would take back.
class InspectorView : public View {
 public:
  Info info() const override {
    return {"inspector", "Inspector", {Place::Right, Place::None, Place::None, Place::Right}};
  }
  void draw(const Session& session, UiState& ui, Commands& commands) override;

 private:
  void draw_plan(const Session& session, UiState& ui, LayerPart part);
  void draw_actions(const Session& session, UiState& ui, Commands& commands) const;

  int gesture_ = 0;  ///< of the slider that is held
};

}  // namespace lathe
