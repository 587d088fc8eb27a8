#include "views/inspector_view.h"

#include <algorithm>
#include <utility>

#include "views/actions.h"
#include "views/layer_cell.h"
#include "views/plan_form.h"
#include "views/widgets.h"

namespace lathe {
namespace {

/// The selected cells of one part that are planned.
std::vector<Cell> planned_cells(const UiState& ui, LayerPart part) {
  std::vector<Cell> cells;
  for (const Cell& cell : ui.selection.cells)
    if (cell.part == part && is_planned(ui.plan.plan(), cell)) cells.push_back(cell);
  return cells;
}

bool any_selected(const UiState& ui, LayerPart part) {
  return std::ranges::any_of(ui.selection.cells, [part](const Cell& cell) { return cell.part == part; });
}

void before_after(const char* name, std::int64_t before, std::int64_t after, ShortText (*show)(std::int64_t),
                  const char* tooltip) {
  if (before == after) {
    value_row(name, show(before).c_str(), tooltip);
    return;
  }
  value_row(name,
            format("%s \u2192 %s %s", show(before).c_str(), show(after).c_str(),
                   format_change(static_cast<double>(before), static_cast<double>(after)).c_str())
                .c_str(),
            tooltip);
}

/// Sums over the selected cells of the part.
void draw_sizes(const Session& session, const UiState& ui, LayerPart part) {
  std::int64_t params = 0, planned_params = 0, kv = 0, planned_kv = 0;
  CellFacts one{.cell = {}, .now = {}, .then = {}, .error = std::nullopt};
  int count = 0;
  for (const Cell& cell : ui.selection.cells) {
    if (cell.part != part) continue;
    one = facts_of(session, ui, cell);
    params += one.params;
    planned_params += one.planned_params;
    kv += one.kv_bytes;
    planned_kv += one.planned_kv_bytes;
    ++count;
  }
  const char* name = part == LayerPart::Attention ? "Attention" : "Feed-forward";
  if (count == 1) {
    heading(format("Layer %lld, %s", static_cast<long long>(one.cell.layer),
                   part == LayerPart::Attention ? "attention" : "feed-forward")
                .c_str());
    value_row("Kind", one.now.c_str());
  } else {
    heading(format("%s of %d layers", name, count).c_str());
  }
  before_after("Parameters", params, planned_params, format_count, "Exact, by arithmetic on the configuration");
  if (part == LayerPart::Attention)
    before_after("Cache per token", kv, planned_kv, format_bytes,
                 "Exact. GQA: 2 x KV heads x head size; MLA: rank + RoPE dims; times the bytes of the cache's type");
}

void draw_receipt(const LayerReceipt& receipt) {
  heading("Receipt");
  value_row("Method", receipt.method.c_str());
  value_row("Relative error", format_value(receipt.relative_error).c_str(),
            "Measured: ||y - y'|| / ||y|| of the block's output, inputs from the original model, calibration text");
  for (const StageCost& stage : receipt.stages) {
    value_row(format("  after %s", stage.stage.c_str()).c_str(), format_value(stage.relative_error).c_str(),
              "Measured after this stage");
    thin_bar(static_cast<float>(stage.relative_error / std::max(1e-9, receipt.relative_error)), colors().faint, 2);
  }
  value_row("Time", format_seconds(receipt.seconds).c_str());
}

void draw_history(const ModelInfo& model) {
  if (model.undo.empty() && model.redo.empty()) return;
  heading("History");
  for (std::size_t i = model.redo.size(); i-- > 0;)
    ImGui::TextColored(colors().faint, "\u21aa %s", model.redo[i].c_str());
  for (const std::string& name : model.undo) ImGui::TextUnformatted(name.c_str());
  ImGui::TextColored(colors().dim, "opened");
  ImGui::PushFont(mono_font(), ImGui::GetStyle().FontSizeBase * 0.87F);
  ImGui::TextColored(colors().faint, "sha256 %.16s", model.sha256.c_str());
  ImGui::PopFont();
  explain("Of all tensors as they are now: undo brings the very same sum back");
}

void draw_model(const ModelInfo& model, const Sizes& sizes) {
  heading(model.name.c_str());
  value_row("Layers", format("%lld", static_cast<long long>(model.config.num_layers())).c_str());
  value_row("Hidden size", format("%lld", static_cast<long long>(model.config.hidden_size)).c_str());
  value_row("Heads, KV heads", format("%lld, %lld", static_cast<long long>(model.config.num_attention_heads),
                                      static_cast<long long>(model.config.num_key_value_heads))
                                   .c_str());
  value_row("Head size", format("%lld", static_cast<long long>(model.config.head_dim)).c_str());
  value_row("MLP size", format("%lld", static_cast<long long>(model.config.intermediate_size)).c_str());
  value_row("Vocabulary", format_count(model.config.vocab_size).c_str());
  value_row("Positions", format_count(model.config.max_position_embeddings).c_str());
  value_row("Parameters", format_count(sizes.params).c_str(), "Exact, embeddings and norms included");
  value_row("Cache per token", format_bytes(sizes.kv_values_per_token * model.bytes_per_value).c_str(), "Exact");
  value_row("Weights", format_bytes(model.weight_bytes).c_str(), "In memory, as loaded");
  value_row("Format", model.format.c_str());
}

void draw_evaluated(const Session& session, ActionContext context) {
  heading("Held-out loss");
  if (session.evaluated) {
    const Evaluated& measured = *session.evaluated;
    value_row("Loss", format_value(measured.nll).c_str(), "Measured, nats per token, teacher-forced");
    value_row("Perplexity", format_value(measured.ppl).c_str(), "exp(loss)");
    value_row("Tokens", format_count(measured.tokens).c_str());
    if (measured.compared) {
      value_row("KL to original", format_value(measured.kl).c_str(), "Measured: KL(original || model), nats per token");
      value_row("Same best token", format("%.1f %%", 100 * measured.top1_agreement).c_str(),
                "Measured: share of positions where both models find the same token most probable");
    }
  }
  const Action* measure = find_action("model.evaluate");
  ImGui::BeginDisabled(!measure->enabled(context));
  if (ImGui::Button(session.evaluated ? "Measure again" : "Measure held-out loss", {-1, 0})) run(*measure, context);
  ImGui::EndDisabled();
}

}  // namespace

void InspectorView::draw(const Session& session, UiState& ui, Commands& commands) {
  if (!session.model) {
    if (empty_state("Open a model; what you select on the board is explained here.", "Open the tiny model"))
      open_model({session, ui, commands}, "tiny");
    return;
  }
  if (!ImGui::IsAnyItemActive()) ++gesture_;
  const float footer = ui.plan.plan().empty() ? 0.0F : px(44);
  if (ImGui::BeginChild("selected", {0, -footer})) {
    if (ui.selection.cells.empty()) {
      draw_model(*session.model, ui.prediction.before);
      caption("Select cells on the board to see and plan them.");
      draw_evaluated(session, {session, ui, commands});
    }
    for (const LayerPart part : {LayerPart::Attention, LayerPart::FeedForward}) {
      if (!any_selected(ui, part)) continue;
      draw_sizes(session, ui, part);
      draw_plan(session, ui, part);
    }
    if (ui.selection.cells.size() == 1) {
      if (const LayerReceipt* receipt = receipt_of(session, *ui.selection.cells.begin())) draw_receipt(*receipt);
    }
    draw_history(*session.model);
  }
  ImGui::EndChild();
  if (footer > 0) draw_actions(session, ui, commands);
}

void InspectorView::draw_plan(const Session& session, UiState& ui, LayerPart part) {
  const bool attention = part == LayerPart::Attention;
  const std::vector<Cell> cells = planned_cells(ui, part);
  ImGui::PushID(attention ? "attention" : "feed-forward");
  if (cells.empty()) {
    const bool left = std::ranges::any_of(ui.selection.cells, [&](const Cell& cell) {
      return cell.part == part && !is_converted(session.model->config, cell);
    });
    Commands none;
    if (left && ImGui::Button(attention ? "Plan MLA  (M)" : "Plan MoE  (E)", {-1, 0}))
      toggle_selected({session, ui, none}, part);
    ImGui::PopID();
    return;
  }
  LayerPlan edited = ui.plan.plan().layers.at(cells.front().layer);
  const bool changed = attention ? mla_form(*edited.attention, session.model->config) : moe_form(*edited.feed_forward);
  if (changed) {
    ConversionPlan plan = ui.plan.plan();
    for (const Cell& cell : cells) {
      if (attention) {
        plan.layers[cell.layer].attention = edited.attention;
      } else {
        plan.layers[cell.layer].feed_forward = edited.feed_forward;
      }
    }
    ui.plan.edit(attention ? "Change MLA sizes" : "Change MoE sizes", std::move(plan), gesture_ + (1 << 20));
  }
  ImGui::PopID();
}

void InspectorView::draw_actions(const Session& session, UiState& ui, Commands& commands) const {
  ActionContext context{session, ui, commands};
  if (!ui.prediction.problems.empty()) {
    problem(ui.prediction.problems.front().c_str());
    return;
  }
  const Action* convert = find_action("plan.convert");
  ImGui::BeginDisabled(!convert->enabled(context));
  if (primary_button("Convert##inspector", {-1, px(32)})) run(*convert, context);
  ImGui::EndDisabled();
}

}  // namespace lathe
