#include "views/layer_cell.h"

#include <algorithm>
#include <cmath>

#include "views/color_map.h"
#include "views/widgets.h"

namespace lathe {
namespace {

constexpr float kTextHeight = 15.0F;  // rows lower than this, in unscaled pixels, have no text

const ImVec4& tint_of(const CellFacts& facts, bool converted) {
  if (!converted) return colors().plain;
  return facts.cell.part == LayerPart::Attention ? colors().mla : colors().moe;
}

/// Diagonal stripes say "not yet".
void hatch(ImVec2 low, ImVec2 high, ImU32 tint) {
  ImDrawList* list = ImGui::GetWindowDrawList();
  const float tall = high.y - low.y;
  list->PushClipRect(low, high, true);
  for (float x = low.x - tall; x < high.x; x += px(7)) list->AddLine({x, high.y}, {x + tall, low.y}, tint, 1.0F);
  list->PopClipRect();
}

void draw_fill(const CellFacts& facts, ImVec2 low, ImVec2 high, float share) {
  ImDrawList* list = ImGui::GetWindowDrawList();
  const float rounding = high.y - low.y > px(10) ? px(3) : 0;
  const ImVec4& tint = tint_of(facts, facts.converted);
  list->AddRectFilled(low, high, color(facts.converted ? mix(colors().panel, tint, 0.16F) : colors().raised), rounding);
  const float length = (high.x - low.x) * std::clamp(share, 0.0F, 1.0F);
  if (length >= 1)
    list->AddRectFilled(low, {low.x + length, high.y}, color(tint, facts.converted ? 0.42F : 0.22F), rounding);
  if (facts.planned) {
    const ImVec4& goal = tint_of(facts, true);
    hatch(low, high, color(goal, 0.38F));
    list->AddRect(low, high, color(goal), rounding, px(1));
  }
  if (facts.selected) {
    list->AddRectFilled(low, high, color(colors().accent, 0.16F), rounding);
    list->AddRect(low, high, color(colors().accent), rounding, px(1.5F));
  }
}

void draw_error(const CellFacts& facts, ImVec2 low, ImVec2 high) {
  if (!facts.error) return;
  const float wide = std::min(px(7), (high.x - low.x) / 6);
  ImGui::GetWindowDrawList()->AddRectFilled({high.x - wide, low.y}, high, error_shade(*facts.error));
}

void draw_text(const CellFacts& facts, ImVec2 low, ImVec2 high) {
  const float size =
      std::min(ImGui::GetStyle().FontSizeBase * 0.87F * ImGui::GetStyle().FontScaleMain, (high.y - low.y) * 0.78F);
  const float y = low.y + (high.y - low.y - size) / 2 - px(0.5F);
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImVec4 clip = {low.x, low.y, high.x - px(8), high.y};
  const char* text = facts.planned ? facts.then.c_str() : facts.now.c_str();
  const ImVec4 kind = tint_of(facts, facts.converted || facts.planned);
  const ImVec4 ink = facts.converted || facts.planned ? mix(kind, colors().text, 0.55F) : colors().dim;
  ImVec2 at = {low.x + px(6), y};
  if (facts.planned) {
    // The arrow is what tells a plan from a fact where colours do not.
    list->AddText(text_font(), size, at, color(ink), "\u2192", nullptr, 0, &clip);
    at.x += size * 1.2F;
  }
  list->AddText(mono_font(), size, at, color(ink), text, nullptr, 0, &clip);
}

std::int64_t kv_bytes(const ModelInfo& model, const AttentionConfig& attention) {
  return kv_values_per_token(model.config, attention) * model.bytes_per_value;
}

void attention_facts(const ModelInfo& model, const LayerConfig& now, const LayerConfig* then, CellFacts& facts) {
  facts.converted = now.attention.kind == AttentionKind::Mla;
  facts.now = name_of(model.config, now.attention);
  facts.params = facts.planned_params = attention_params(model.config, now.attention);
  facts.kv_bytes = facts.planned_kv_bytes = kv_bytes(model, now.attention);
  if (then == nullptr) return;
  facts.then = name_of(model.config, then->attention);
  facts.planned_params = attention_params(model.config, then->attention);
  facts.planned_kv_bytes = kv_bytes(model, then->attention);
}

void feed_forward_facts(const ModelInfo& model, const LayerConfig& now, const LayerConfig* then, CellFacts& facts) {
  facts.converted = now.feed_forward.kind == FeedForwardKind::Moe;
  facts.now = name_of(model.config, now.feed_forward);
  facts.params = facts.planned_params = feed_forward_params(model.config, now.feed_forward);
  if (then == nullptr) return;
  facts.then = name_of(model.config, then->feed_forward);
  facts.planned_params = feed_forward_params(model.config, then->feed_forward);
}

}  // namespace

ShortText name_of(const ModelConfig& config, const AttentionConfig& attention) {
  if (attention.kind == AttentionKind::Mla)
    return format("MLA r%lld+%lld", static_cast<long long>(attention.kv_lora_rank),
                  static_cast<long long>(attention.qk_rope_head_dim));
  const char* kind = config.num_key_value_heads == config.num_attention_heads ? "MHA"
                     : config.num_key_value_heads == 1                        ? "MQA"
                                                                              : "GQA";
  return format("%s %lld/%lld", kind, static_cast<long long>(config.num_attention_heads),
                static_cast<long long>(config.num_key_value_heads));
}

ShortText name_of(const ModelConfig& config, const FeedForwardConfig& feed_forward) {
  if (feed_forward.kind == FeedForwardKind::Dense)
    return format("MLP %lld", static_cast<long long>(config.intermediate_size));
  return format("MoE %lld top %lld", static_cast<long long>(feed_forward.num_experts),
                static_cast<long long>(feed_forward.num_experts_per_tok));
}

const LayerReceipt* receipt_of(const Session& session, Cell cell) {
  const auto& converting = session.converting_receipts;
  for (auto at = converting.rbegin(); at != converting.rend(); ++at) {
    if (at->layer == cell.layer && at->part == cell.part) return &*at;
  }
  return session.receipt ? find_layer(*session.receipt, cell.layer, cell.part) : nullptr;
}

CellFacts facts_of(const Session& session, const UiState& ui, Cell cell) {
  CellFacts facts{.cell = cell, .now = {}, .then = {}, .error = std::nullopt};
  const ModelInfo& model = *session.model;
  const auto index = static_cast<std::size_t>(cell.layer);
  const auto done = session.converting.find(cell.layer);
  const LayerConfig& now = done != session.converting.end() ? done->second : model.config.layers[index];
  facts.selected = ui.selection.contains(cell);
  facts.planned = is_planned(ui.plan.plan(), cell);
  const LayerConfig* then = facts.planned && ui.prediction.config ? &ui.prediction.config->layers[index] : nullptr;
  if (facts.planned && then == nullptr) facts.then = format("cannot be");
  if (cell.part == LayerPart::Attention) {
    attention_facts(model, now, then, facts);
  } else {
    feed_forward_facts(model, now, then, facts);
  }
  // While the conversion runs the plan still names the layers that are done; they are facts now.
  facts.planned = facts.planned && !facts.converted;
  if (const LayerReceipt* receipt = receipt_of(session, cell); receipt != nullptr && facts.converted)
    facts.error = receipt->relative_error;
  return facts;
}

void draw_cell(const CellFacts& facts, ImVec2 low, ImVec2 high, float share) {
  draw_fill(facts, low, high, share);
  if (high.y - low.y >= px(kTextHeight)) draw_text(facts, low, high);
  draw_error(facts, low, high);
}

void cell_tooltip(const CellFacts& facts) {
  if (!ImGui::BeginTooltip()) return;
  const char* part = facts.cell.part == LayerPart::Attention ? "attention" : "feed-forward";
  ImGui::PushFont(bold_font(), 0);
  ImGui::Text("Layer %lld, %s", static_cast<long long>(facts.cell.layer), part);
  ImGui::PopFont();
  ImGui::Text("%s, %s parameters", facts.now.c_str(), format_count(facts.params).c_str());
  if (facts.cell.part == LayerPart::Attention) ImGui::Text("%s cached per token", format_bytes(facts.kv_bytes).c_str());
  if (facts.planned) {
    ImGui::PushStyleColor(ImGuiCol_Text, tint_of(facts, true));
    ImGui::Text("Planned: %s, parameters %s", facts.then.c_str(),
                format_change(static_cast<double>(facts.params), static_cast<double>(facts.planned_params)).c_str());
    if (facts.cell.part == LayerPart::Attention)
      ImGui::Text(
          "Cache %s",
          format_change(static_cast<double>(facts.kv_bytes), static_cast<double>(facts.planned_kv_bytes)).c_str());
    ImGui::PopStyleColor();
  }
  if (facts.error) ImGui::Text("Relative error %s, measured", format_value(*facts.error).c_str());
  ImGui::EndTooltip();
}

ImU32 error_shade(double relative_error) {
  if (!std::isfinite(relative_error)) return color(colors().not_a_number);
  return sample(cividis(), static_cast<float>(1.0 + std::log10(std::max(relative_error, 1e-4)) / 4.0));
}

}  // namespace lathe
