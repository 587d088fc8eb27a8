#pragma once

#include <optional>

#include "views/layer_cell.h"
#include "views/view.h"

namespace lathe {

/// A row per layer with a cell for attention and one for the feed-forward: choose, paint, see what is planned and what
/// is done.
class LayerBoardView : public View {
 public:
  Info info() const override { return {"layers", "Layers", {Place::Left, Place::Left, Place::Left, Place::Left}}; }
  void draw(const Session& session, UiState& ui, Commands& commands) override;

 private:
  struct Geometry {
    float number_width, cell_width, row_height, gap;
  };
  void draw_header(const Geometry& geometry, UiState& ui) const;
  void draw_rows(const Session& session, UiState& ui, const Geometry& geometry);
  void draw_one(const CellFacts& facts, ImVec2 low, ImVec2 size, const Session& session, UiState& ui);
  void press(Cell cell, UiState& ui);
  void paint(Cell cell, const Session& session, UiState& ui);
  void move_by_keys(const Session& session, UiState& ui) const;
  void menu(const Session& session, UiState& ui, Commands& commands) const;

  std::optional<Cell> pressed_;  ///< where the mouse went down
  std::optional<Cell> painted_;  ///< the last cell of the drag
  bool paint_converts_ = true;
  int gesture_ = 0;
  float largest_ = 1.0F;  ///< of what the bars show, over all cells
};

}  // namespace lathe
