#pragma once

#include <string>

#include "views/tensor_map.h"
#include "views/tensor_table.h"
#include "views/view.h"

namespace lathe {

/// All tensors of the model as it is now or as it was, and for the chosen one its figures, its histogram and a map of
/// its values at any zoom.
class TensorView : public View {
 public:
  Info info() const override { return {"tensor", "Tensors", {Place::None, Place::None, Place::None, Place::Center}}; }
  void draw(const Session& session, UiState& ui, Commands& commands) override;

 private:
  void draw_list(const ModelInfo& model, UiState& ui);
  void draw_chosen(const Session& session, UiState& ui, Commands& commands);
  void draw_picture(const TensorPicture& picture, UiState& ui);
  void watch(const TensorPicture* picture, const UiState& ui, Commands& commands);

  TensorTable table_;
  TensorMap map_;
  std::string looked_at_;  ///< tensor that the map shows
};

}  // namespace lathe
