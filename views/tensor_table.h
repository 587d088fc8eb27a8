#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/data/model_preview.h"

namespace lathe {

using TensorList = std::shared_ptr<const std::vector<TensorInfo>>;

/// A list of tensors that can be searched and sorted. It filters when the search, the order or the list changes, and
/// draws the rows that are visible.
class TensorTable {
 public:
  /// `with_files`: also the file and the state of each. `chosen` is marked; a click changes it. True then. `height` 0:
  /// what is left of the window.
  bool draw(const TensorList& tensors, bool with_files, std::string& chosen, float height = 0.0F);

  /// Rows that the search leaves.
  std::size_t shown() const { return rows_.size(); }

 private:
  void draw_header(bool with_files);
  void draw_row(const TensorInfo& tensor, bool with_files, std::string& chosen, bool& changed);
  void move_by_keys(std::string& chosen, bool& changed);
  void filter(const TensorList& tensors);
  void sort();

  std::string search_, filtered_search_;
  TensorList filtered_;
  std::vector<std::uint32_t> rows_;  ///< indices into *filtered_
  int column_ = -1;                  ///< sorted by; -1: in the list's order
  bool descending_ = false;
  bool scroll_to_chosen_ = false;
};

/// Whether every word of `search` is in the name, the dtype, the file or the state; upper and lower case alike.
bool matches(const TensorInfo& tensor, const std::string& search);

/// "model.layers.3…q_proj.weight": the middle left out, so that at most `characters` are left.
std::string middle_cut(const std::string& text, std::size_t characters);

/// "49152 × 576".
std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace lathe
