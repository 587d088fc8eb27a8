#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "model/data/config.h"
#include "model/data/plan.h"
#include "model/data/receipt.h"

namespace lathe {

/// One square of the layer board.
struct Cell {
  std::int64_t layer = 0;
  LayerPart part = LayerPart::Attention;

  auto operator<=>(const Cell&) const = default;
};

/// The plan that the user edits, with its own undo and redo. Each edit has a name that the menus show.
class PlanEditor {
 public:
  const ConversionPlan& plan() const { return plan_; }
  /// Grows with every change, so that what is derived from the plan can be kept.
  std::int64_t version() const { return version_; }

  /// Replaces the plan. Edits with the same non-zero `gesture` become one step: a drag over cells, a held slider.
  void edit(std::string name, ConversionPlan plan, int gesture = 0);

  bool can_undo() const { return !undo_.empty(); }
  bool can_redo() const { return !redo_.empty(); }
  const std::string& undo_name() const { return undo_.back().name; }
  const std::string& redo_name() const { return redo_.back().name; }
  void undo();
  void redo();

  /// Takes the cells that `config` has converted out of the plan and keeps them for restore().
  void applied(const ModelConfig& config);
  /// Brings the plan last carried out back, if `config` says that it was undone and nothing else is planned. An undone
  /// plan that cannot come back is forgotten.
  bool restore(const ModelConfig& config);

  /// Forgets everything: another model was opened.
  void reset();

 private:
  struct Step {
    std::string name;
    ConversionPlan plan;
  };
  ConversionPlan plan_;
  std::vector<Step> undo_, redo_;
  std::vector<ConversionPlan> applied_;
  std::int64_t version_ = 1;
  int gesture_ = 0;
};

/// Sizes that a first click gives, from the model's own: half the cached values, half of each head rotated.
MlaPlan default_mla(const ModelConfig& config);
MoePlan default_moe(const ModelConfig& config);

bool is_planned(const ConversionPlan& plan, Cell cell);
bool is_converted(const ModelConfig& config, Cell cell);

/// `plan` with the cell converted (with the sizes of the cells already planned, or the defaults) or left alone.
ConversionPlan with_cell(ConversionPlan plan, const ModelConfig& config, Cell cell, bool convert);

/// A first plan for any model: attention of every other layer of the middle, feed-forward of every fourth of the end.
ConversionPlan suggested_plan(const ModelConfig& config);

}  // namespace lathe
