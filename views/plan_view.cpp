#include "views/plan_view.h"

#include <algorithm>
#include <utility>

#include "views/actions.h"
#include "views/welcome.h"
#include "views/widgets.h"

namespace lathe {
namespace {

PlanEntry& entry_like(std::vector<PlanEntry>& entries, const PlanEntry& wanted) {
  const auto found = std::ranges::find_if(entries, [&](const PlanEntry& entry) {
    return entry.part == wanted.part && entry.mla == wanted.mla && entry.moe == wanted.moe;
  });
  if (found != entries.end()) return *found;
  entries.push_back(wanted);
  return entries.back();
}

void column(const char* text, const ImVec4& tint) {
  ImGui::TableNextColumn();
  ImGui::PushStyleColor(ImGuiCol_Text, tint);
  ImGui::PushFont(mono_font(), ImGui::GetStyle().FontSizeBase * 0.93F);
  text_right(text);
  ImGui::PopFont();
  ImGui::PopStyleColor();
}

void size_row(const char* name, std::int64_t before, std::int64_t after, ShortText (*show)(std::int64_t),
              const char* tooltip) {
  ImGui::TableNextRow();
  ImGui::TableNextColumn();
  ImGui::TextUnformatted(name);
  explain(tooltip);
  column(show(before).c_str(), colors().dim);
  column(show(after).c_str(), colors().text);
  const bool less = after < before;
  column(format_change(static_cast<double>(before), static_cast<double>(after)).c_str(), less ? colors().good
                                                                                         : after > before
                                                                                             ? colors().warning
                                                                                             : colors().dim);
}

/// What only one method has to be told.
std::string own_settings(const MlaPlan& mla) {
  if (mla.method == "transmla") return format("FreqFold %lld", static_cast<long long>(mla.freqfold)).c_str();
  std::string own = mla.context_length == 0
                        ? "context of the calibration"
                        : format("context %lld", static_cast<long long>(mla.context_length)).c_str();
  if (mla.heal_steps > 0) own += format(", %lld heal steps", static_cast<long long>(mla.heal_steps)).c_str();
  return own;
}

std::string settings_text(const PlanEntry& entry) {
  if (entry.part == LayerPart::Attention) {
    const MlaPlan& mla = entry.mla;
    return format("%s  rank %lld, RoPE %lld, ", mla.method.c_str(), static_cast<long long>(mla.kv_lora_rank),
                  static_cast<long long>(mla.qk_rope_head_dim))
               .c_str() +
           own_settings(mla);
  }
  const MoePlan& moe = entry.moe;
  if (moe.method == "lathe-moe")
    return format("%s  %lld experts, %.0f %% active, %.0f %% of them always on", moe.method.c_str(),
                  static_cast<long long>(moe.num_experts), 100 * moe.active_fraction, 100 * moe.shared_fraction)
        .c_str();
  const ShortText own =
      moe.method == "copy" ? format("noise %.3g", moe.noise) : format("%.0f %% anew", 100 * moe.drop_ratio);
  return format("%s  %lld experts, top %lld, %s, %s", moe.method.c_str(), static_cast<long long>(moe.num_experts),
                static_cast<long long>(moe.num_experts_per_tok), own.c_str(),
                moe.router == RouterKind::Softmax ? "softmax" : "sigmoid")
      .c_str();
}

}  // namespace

std::vector<PlanEntry> entries_of(const ConversionPlan& plan) {
  std::vector<PlanEntry> entries;
  for (const auto& [layer, part] : plan.layers) {
    if (part.attention) entry_like(entries, {LayerPart::Attention, *part.attention, {}, {}}).layers.push_back(layer);
    if (part.feed_forward)
      entry_like(entries, {LayerPart::FeedForward, {}, *part.feed_forward, {}}).layers.push_back(layer);
  }
  return entries;
}

std::string layer_ranges(const std::vector<std::int64_t>& layers) {
  std::string text;
  for (std::size_t i = 0; i < layers.size();) {
    std::size_t last = i;
    while (last + 1 < layers.size() && layers[last + 1] == layers[last] + 1) ++last;
    if (!text.empty()) text += ", ";
    text += std::to_string(layers[i]);
    if (last > i) text += (last == i + 1 ? ", " : "\u2013") + std::to_string(layers[last]);
    i = last + 1;
  }
  return text;
}

void PlanView::draw(const Session& session, UiState& ui, Commands& commands) {
  if (!session.model) {
    draw_welcome({session, ui, commands});
    return;
  }
  prepare(session, ui);
  if (ui.plan.plan().empty()) {
    draw_start(session, ui, commands);
    return;
  }
  draw_tools(session, ui, commands);
  for (const std::string& sentence : ui.prediction.problems) problem(sentence.c_str());
  draw_entries(ui);
  if (ui.prediction.problems.empty()) draw_sizes(session, ui);
  draw_calibration(ui, commands);
}

void PlanView::prepare(const Session& session, const UiState& ui) {
  if (plan_version_ != ui.plan.version()) entries_ = entries_of(ui.plan.plan());
  plan_version_ = ui.plan.version();
  if (model_sha256_ == session.model->sha256 && recipe_fits_.size() == ui.recipes.size()) return;
  model_sha256_ = session.model->sha256;
  recipe_fits_.clear();
  for (const Recipe& recipe : ui.recipes)
    recipe_fits_.push_back(plan_problems(recipe.plan, session.model->config).empty());
}

void PlanView::draw_start(const Session& session, UiState& ui, Commands& commands) {
  ActionContext context{session, ui, commands};
  heading("Start from a recipe");
  if (ui.recipes.empty()) caption("No recipes were found beside the program.");
  for (std::size_t i = 0; i < ui.recipes.size(); ++i) {
    const Recipe& recipe = ui.recipes[i];
    const bool fits = recipe_fits_[i];
    ImGui::PushID(recipe.name.c_str());
    ImGui::BeginDisabled(!fits);
    if (ImGui::Button("Load")) load_recipe(context, recipe);
    ImGui::EndDisabled();
    ImGui::SameLine();
    ImGui::BeginGroup();
    ImGui::PushFont(bold_font(), 0);
    ImGui::TextUnformatted(recipe.name.c_str());
    ImGui::PopFont();
    ImGui::SameLine();
    ImGui::TextColored(colors().dim, "%lld MLA, %lld MoE%s", static_cast<long long>(recipe.plan.num_mla()),
                       static_cast<long long>(recipe.plan.num_moe()), fits ? "" : ", does not fit this model");
    if (!recipe.plan.description.empty()) caption(recipe.plan.description.c_str());
    ImGui::EndGroup();
    ImGui::PopID();
  }
  heading("Or make your own");
  ImGui::PushTextWrapPos(0);
  ImGui::TextColored(colors().dim,
                     "Click layers on the board, then M turns their attention into MLA and E their feed-forward into a "
                     "mixture of experts. Dragging over cells paints the same. Nothing changes until you convert.");
  ImGui::PopTextWrapPos();
  if (primary_button("Suggest a plan")) run_action("plan.suggest", context);
  ImGui::SameLine();
  if (ImGui::Button("Open a plan\u2026")) commands.ask(AskPath{PathFor::OpenPlan});
}

void PlanView::draw_tools(const Session& session, UiState& ui, Commands& commands) {
  ActionContext context{session, ui, commands};
  const ConversionPlan& plan = ui.plan.plan();
  ImGui::PushFont(bold_font(), ImGui::GetStyle().FontSizeBase * 1.1F);
  ImGui::AlignTextToFramePadding();
  ImGui::Text("%lld MLA, %lld MoE", static_cast<long long>(plan.num_mla()), static_cast<long long>(plan.num_moe()));
  ImGui::PopFont();
  if (!plan.name.empty()) {
    ImGui::SameLine();
    ImGui::TextColored(colors().dim, "%s", plan.name.c_str());
    if (!plan.description.empty()) explain(plan.description.c_str());
  }
  const float width = ImGui::CalcTextSize("Save plan\u2026Clear").x + 4 * ImGui::GetStyle().FramePadding.x + px(8);
  same_line_if_fits(width, px(8));
  ImGui::SetCursorPosX(ImGui::GetCursorPosX() + std::max(0.0F, ImGui::GetContentRegionAvail().x - width));
  if (ImGui::Button("Save plan\u2026")) run_action("plan.save", context);
  ImGui::SameLine();
  if (ImGui::Button("Clear")) run_action("plan.clear", context);
}

void PlanView::draw_entries(UiState& ui) {
  if (!ImGui::BeginTable("entries", 3, ImGuiTableFlags_BordersInnerH | ImGuiTableFlags_PadOuterX)) return;
  ImGui::TableSetupColumn("kind", ImGuiTableColumnFlags_WidthFixed, px(56));
  ImGui::TableSetupColumn("layers", ImGuiTableColumnFlags_WidthStretch, 1);
  ImGui::TableSetupColumn("settings", ImGuiTableColumnFlags_WidthStretch, 1.4F);
  int index = 0;
  for (const PlanEntry& entry : entries_) {
    const bool attention = entry.part == LayerPart::Attention;
    ImGui::TableNextRow(ImGuiTableRowFlags_None, ImGui::GetFrameHeightWithSpacing());
    ImGui::TableNextColumn();
    chip(attention ? "MLA" : "MoE", attention ? colors().mla : colors().moe);
    ImGui::TableNextColumn();
    ImGui::PushID(index++);
    ImGui::SetNextItemAllowOverlap();
    const std::string layers = layer_ranges(entry.layers);
    const float tall = std::max(ImGui::CalcTextSize(layers.c_str(), nullptr, false, ImGui::GetContentRegionAvail().x).y,
                                2 * ImGui::GetTextLineHeight());
    const ImVec2 at = ImGui::GetCursorPos();
    if (ImGui::Selectable("##entry", false, ImGuiSelectableFlags_SpanAllColumns, {0, tall})) {
      ui.selection.clear();
      for (const std::int64_t layer : entry.layers) ui.selection.cells.insert({layer, entry.part});
    }
    explain("Select these on the board; the inspector then changes their settings");
    ImGui::PopID();
    ImGui::SetCursorPos(at);
    ImGui::TextWrapped("%s", layers.c_str());
    ImGui::TableNextColumn();
    ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
    ImGui::TextWrapped("%s", settings_text(entry).c_str());
    ImGui::PopStyleColor();
  }
  ImGui::EndTable();
}

void PlanView::draw_sizes(const Session& session, const UiState& ui) {
  heading("What it does to the model");
  const Sizes& before = ui.prediction.before;
  const Sizes& after = ui.prediction.after;
  const std::int64_t bytes = session.model->bytes_per_value;
  if (!ImGui::BeginTable("sizes", 4, ImGuiTableFlags_RowBg)) return;
  ImGui::TableSetupColumn("name", ImGuiTableColumnFlags_WidthStretch, 1.6F);
  for (const char* name : {"Now", "Planned", "Change"}) ImGui::TableSetupColumn(name);
  ImGui::TableNextRow();
  ImGui::TableNextColumn();
  for (const char* name : {"Now", "Planned", "Change"}) column(name, colors().faint);
  size_row("Parameters", before.params, after.params, format_count, "Exact, embeddings and norms included");
  size_row("Used by one token", before.active_params, after.active_params, format_count,
           "Exact: num_experts_per_tok of the routed experts");
  size_row("Cache per token", before.kv_values_per_token * bytes, after.kv_values_per_token * bytes, format_bytes,
           "Exact. GQA: 2 x KV heads x head size; MLA: rank + RoPE dims; times the bytes of the cache's type");
  const std::int64_t context = std::min<std::int64_t>(session.model->config.max_position_embeddings, 131072);
  size_row(format("Cache at %lld tokens", static_cast<long long>(context)).c_str(),
           before.kv_values_per_token * bytes * context, after.kv_values_per_token * bytes * context, format_bytes,
           "Exact: per token times the model's positions, at most 131,072");
  size_row("Weights in f32", before.params * 4, after.params * 4, format_bytes, "Exact: 4 bytes each");
  ImGui::EndTable();
  caption(
      "Exact arithmetic on the configuration. What it costs in loss is measured by the conversion, not guessed here.");
}

void PlanView::draw_calibration(UiState& ui, Commands& commands) {
  heading("Calibration");
  if (!ImGui::IsAnyItemActive()) ++gesture_;
  Calibration calibration = ui.plan.plan().calibration;
  auto seed = static_cast<std::int64_t>(ui.plan.plan().seed);
  bool changed = false;
  ImGui::SetNextItemWidth(-px(44));
  changed |= text_input("##text", calibration.text, "Lathe's own text");
  explain("Activations are collected and the loss is measured on this text");
  ImGui::SameLine(0, px(4));
  if (ImGui::Button("\u2026##calibration", {-1, 0})) commands.ask(AskPath{PathFor::CalibrationText});
  if (ImGui::BeginTable("calibration", 3, ImGuiTableFlags_PadOuterX)) {
    ImGui::TableNextColumn();
    changed |= int_row("Samples", calibration.num_samples, 1, 1 << 20, "Sequences of the text");
    ImGui::TableNextColumn();
    changed |= int_row("Tokens each", calibration.seq_len, 2, 1 << 20, "Tokens of each sequence");
    ImGui::TableNextColumn();
    changed |= int_row("Seed", seed, 0, INT64_MAX, "Of noise, drop-upcycling and the router's first weights");
    ImGui::EndTable();
  }
  if (!changed) return;
  ConversionPlan plan = ui.plan.plan();
  plan.calibration = std::move(calibration);
  plan.seed = static_cast<std::uint64_t>(seed);
  ui.plan.edit("Change the calibration", std::move(plan), gesture_ + (1 << 24));
}

}  // namespace lathe
