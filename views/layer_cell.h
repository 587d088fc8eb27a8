#pragma once

#include <imgui.h>

#include <cstdint>
#include <optional>

#include "model/data/session.h"
#include "views/format.h"
#include "views/ui_state.h"

namespace lathe {

/// What the board knows of one cell.
struct CellFacts {
  Cell cell;
  bool converted = false;  ///< now, also by a conversion that still runs
  bool planned = false;
  bool selected = false;
  ShortText now, then;  ///< "GQA 9/3", "MLA r96"; `then` only if planned
  std::int64_t params = 0, planned_params = 0;
  std::int64_t kv_bytes = 0, planned_kv_bytes = 0;  ///< per token
  std::optional<double> error;                      ///< measured by the last conversion
};

CellFacts facts_of(const Session& session, const UiState& ui, Cell cell);

/// "GQA 9/3", "MLA r96 + 32", "MLP 1536", "MoE 8 × 1536, top 2".
ShortText name_of(const ModelConfig& config, const AttentionConfig& attention);
ShortText name_of(const ModelConfig& config, const FeedForwardConfig& feed_forward);

/// The receipt of one part of one layer, the newest; null if no conversion that is known of converted it.
const LayerReceipt* receipt_of(const Session& session, Cell cell);

/// Draws the cell into `low`..`high`; `share` in [0, 1] is the length of its bar. Text only where the row is high
/// enough.
void draw_cell(const CellFacts& facts, ImVec2 low, ImVec2 high, float share);

/// Everything about the cell, as a tooltip.
void cell_tooltip(const CellFacts& facts);

/// Cividis of a relative error on a log scale from 10⁻⁴ to 1.
ImU32 error_shade(double relative_error);

}  // namespace lathe
