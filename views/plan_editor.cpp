#include "views/plan_editor.h"

#include <algorithm>
#include <utility>

namespace lathe {
namespace {

constexpr std::size_t kMaxSteps = 256;

/// The plan of the nearest planned attention cell, so that one set of sizes carries over while painting.
const MlaPlan* any_mla(const ConversionPlan& plan) {
  for (const auto& [layer, part] : plan.layers) {
    if (part.attention) return &*part.attention;
  }
  return nullptr;
}

const MoePlan* any_moe(const ConversionPlan& plan) {
  for (const auto& [layer, part] : plan.layers) {
    if (part.feed_forward) return &*part.feed_forward;
  }
  return nullptr;
}

std::int64_t round_to(std::int64_t value, std::int64_t multiple) {
  return std::max(multiple, value / multiple * multiple);
}

}  // namespace

void PlanEditor::edit(std::string name, ConversionPlan plan, int gesture) {
  if (plan == plan_) return;
  const bool continues = gesture != 0 && gesture == gesture_ && !undo_.empty();
  if (!continues) undo_.push_back({std::move(name), plan_});
  if (undo_.size() > kMaxSteps) undo_.erase(undo_.begin());
  redo_.clear();
  plan_ = std::move(plan);
  gesture_ = gesture;
  ++version_;
}

void PlanEditor::undo() {
  if (undo_.empty()) return;
  Step step = std::move(undo_.back());
  undo_.pop_back();
  std::swap(step.plan, plan_);
  redo_.push_back(std::move(step));
  gesture_ = 0;
  ++version_;
}

void PlanEditor::redo() {
  if (redo_.empty()) return;
  Step step = std::move(redo_.back());
  redo_.pop_back();
  std::swap(step.plan, plan_);
  undo_.push_back(std::move(step));
  gesture_ = 0;
  ++version_;
}

void PlanEditor::applied(const ModelConfig& config) {
  ConversionPlan done = plan_, rest = plan_;
  for (const auto& [layer, part] : plan_.layers) {
    LayerPlan& kept = rest.layers[layer];
    LayerPlan& carried_out = done.layers[layer];
    (is_converted(config, {layer, LayerPart::Attention}) ? kept : carried_out).attention.reset();
    (is_converted(config, {layer, LayerPart::FeedForward}) ? kept : carried_out).feed_forward.reset();
    if (kept.empty()) rest.layers.erase(layer);
    if (carried_out.empty()) done.layers.erase(layer);
  }
  if (done.empty()) return;
  std::vector<ConversionPlan> applied = std::move(applied_);
  applied.push_back(std::move(done));
  reset();
  applied_ = std::move(applied);
  if (!rest.empty()) plan_ = std::move(rest);
}

bool PlanEditor::restore(const ModelConfig& config) {
  if (applied_.empty()) return false;
  for (const auto& [layer, part] : applied_.back().layers) {
    if (part.attention && is_converted(config, {layer, LayerPart::Attention})) return false;
    if (part.feed_forward && is_converted(config, {layer, LayerPart::FeedForward})) return false;
  }
  ConversionPlan undone = std::move(applied_.back());
  applied_.pop_back();
  if (!plan_.empty()) return false;  // what is planned now is worth more; the next undo is of an earlier conversion
  plan_ = std::move(undone);
  undo_.clear();
  redo_.clear();
  ++version_;
  return true;
}

void PlanEditor::reset() {
  const std::int64_t version = version_ + 1;
  *this = PlanEditor();
  version_ = version;
}

MlaPlan default_mla(const ModelConfig& config) {
  MlaPlan plan;
  plan.method = "lathe-mla";
  const std::int64_t cached = 2 * config.num_key_value_heads * config.head_dim;
  plan.qk_rope_head_dim = round_to(std::min(cached / 8, config.head_dim), 2);
  plan.kv_lora_rank = round_to(cached / 2 - plan.qk_rope_head_dim, 8);
  while (plan.freqfold > 1 && (config.head_dim / 2) % plan.freqfold != 0) plan.freqfold /= 2;
  return plan;
}

MoePlan default_moe(const ModelConfig&) {
  MoePlan plan;
  plan.noise = 0.02;
  return plan;
}

bool is_planned(const ConversionPlan& plan, Cell cell) {
  const auto found = plan.layers.find(cell.layer);
  if (found == plan.layers.end()) return false;
  return cell.part == LayerPart::Attention ? found->second.attention.has_value()
                                           : found->second.feed_forward.has_value();
}

bool is_converted(const ModelConfig& config, Cell cell) {
  if (cell.layer < 0 || cell.layer >= config.num_layers()) return false;
  const LayerConfig& layer = config.layers[static_cast<std::size_t>(cell.layer)];
  return cell.part == LayerPart::Attention ? layer.attention.kind == AttentionKind::Mla
                                           : layer.feed_forward.kind == FeedForwardKind::Moe;
}

ConversionPlan with_cell(ConversionPlan plan, const ModelConfig& config, Cell cell, bool convert) {
  if (is_converted(config, cell)) return plan;
  const MlaPlan* mla = any_mla(plan);
  const MoePlan* moe = any_moe(plan);
  const MlaPlan attention = mla != nullptr ? *mla : default_mla(config);
  const MoePlan feed_forward = moe != nullptr ? *moe : default_moe(config);
  LayerPlan& layer = plan.layers[cell.layer];
  if (cell.part == LayerPart::Attention) {
    if (!convert) layer.attention.reset();
    if (convert && !layer.attention) layer.attention = attention;
  } else {
    if (!convert) layer.feed_forward.reset();
    if (convert && !layer.feed_forward) layer.feed_forward = feed_forward;
  }
  if (layer.empty()) plan.layers.erase(cell.layer);
  return plan;
}

ConversionPlan suggested_plan(const ModelConfig& config) {
  ConversionPlan plan;
  plan.name = "suggested";
  const std::int64_t layers = config.num_layers();
  for (std::int64_t layer = layers / 4; layer <= layers * 4 / 5 && layer < layers; layer += 2) {
    plan = with_cell(std::move(plan), config, {layer, LayerPart::Attention}, true);
  }
  for (std::int64_t layer = layers - 1 - layers / 5; layer > layers / 3; layer -= 4) {
    plan = with_cell(std::move(plan), config, {layer, LayerPart::FeedForward}, true);
  }
  return plan;
}

}  // namespace lathe
