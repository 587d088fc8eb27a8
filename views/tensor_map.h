#pragma once

#include <string>

#include "model/data/snapshot.h"
#include "views/heat_texture.h"

namespace lathe {

/// The part of a tensor's matrix that is in the picture: real numbers, so that it can be zoomed and moved smoothly.
struct MatrixWindow {
  double first_row = 0, rows = 0, first_column = 0, columns = 0;

  bool operator==(const MatrixWindow&) const = default;

  /// The smallest region of whole rows and columns that holds it.
  TensorRegion region(const TensorPicture& of) const;
};

/// `window` after zooming by `factor` around the point (u, v) of it, both in [0, 1], kept inside the tensor and not
/// closer than 4 values a side.
MatrixWindow zoomed(MatrixWindow window, double factor, double u, double v, const TensorPicture& of);
/// `window` moved by a share of itself, kept inside the tensor.
MatrixWindow moved(MatrixWindow window, double right, double down, const TensorPicture& of);

/// "17" or "16…31", counted from 0.
std::string range_text(std::int64_t first, std::int64_t count);

/// A map of a tensor's values at any zoom: the wheel zooms at the mouse, dragging moves, a double click shows all. It
/// shows what it has at once, and says which region it would like to have the values of.
class TensorMap {
 public:
  /// `extremes`: a cell shows its value that is farthest from 0 instead of the mean.
  void draw(const TensorPicture& picture, bool extremes, ImVec2 size);

  /// Of the picture, once the window has rested; no rows: the whole tensor.
  TensorRegion wanted(const TensorPicture* picture);

  /// Shows all of the tensor.
  void reset() { window_ = {}; }

  /// The magnitude that has the full colour.
  float limit() const { return limit_; }

 private:
  void draw_hover(const TensorPicture& picture, ImVec2 low, ImVec2 size);
  void move(const TensorPicture& picture, ImVec2 low, ImVec2 size);
  void paint(const TensorPicture& picture, bool extremes);

  HeatTexture texture_;
  MatrixWindow window_;
  TensorRegion wanted_;
  double moved_at_ = 0.0;  ///< ImGui::GetTime() when the window last moved
  const void* painted_ = nullptr;
  std::int64_t painted_version_ = -1;
  bool painted_extremes_ = false;
  float limit_ = 1.0F;
};

}  // namespace lathe
