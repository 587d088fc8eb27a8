#include "views/receipt_view.h"

#include <algorithm>
#include <cmath>

#include "views/actions.h"
#include "views/data_files.h"
#include "views/layer_cell.h"
#include "views/widgets.h"

namespace lathe {
namespace {

/// A square per stage, shaded by the error so far.
void draw_stages(const LayerReceipt& receipt) {
  const float size = ImGui::GetTextLineHeight();
  const float all =
      ImGui::GetContentRegionAvail().x / static_cast<float>(std::max<std::size_t>(1, receipt.stages.size()));
  const float wide = std::clamp(all - px(2), px(4), size * 1.3F);
  for (const StageCost& stage : receipt.stages) {
    const ImVec2 at = ImGui::GetCursorScreenPos();
    ImGui::GetWindowDrawList()->AddRectFilled({at.x, at.y + px(2)}, {at.x + wide, at.y + size},
                                              error_shade(stage.relative_error), px(2));
    ImGui::Dummy({wide, size});
    explain(format("after %s: %s", stage.stage.c_str(), format_value(stage.relative_error).c_str()).c_str());
    ImGui::SameLine(0, px(2));
  }
  ImGui::NewLine();
}

void number(const char* text) {
  ImGui::TableNextColumn();
  ImGui::PushFont(mono_font(), ImGui::GetStyle().FontSizeBase * 0.93F);
  text_right(text);
  ImGui::PopFont();
}

ShortText change(std::int64_t before, std::int64_t after) {
  return format_change(static_cast<double>(before), static_cast<double>(after));
}

void draw_shade_scale() {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = px(96);
  for (int i = 0; i < 48; ++i) {
    const float x = at.x + width * static_cast<float>(i) / 48.0F;
    const double error = std::pow(10.0, -4.0 + 4.0 * i / 47.0);
    ImGui::GetWindowDrawList()->AddRectFilled({x, at.y + px(5)}, {x + width / 48.0F + 1, at.y + px(13)},
                                              error_shade(error));
  }
  ImGui::Dummy({width, px(18)});
  ImGui::SameLine();
  caption("relative error after each stage, 10\u207b\u2074 to 1, measured");
  explain("\u2016y \u2212 y\u2032\u2016 / \u2016y\u2016 of the block's output, inputs from the original model");
}

/// Numbers stand at the right of their columns, and so do their names.
void draw_header() {
  const char* names[] = {"Layer", "Method", "Stages", "Error", "Params", "Cache", "Time"};
  const float shares[] = {1.1F, 1.1F, 1.9F, 0.9F, 1, 0.9F, 0.7F};
  for (int i = 0; i < 7; ++i) ImGui::TableSetupColumn(names[i], ImGuiTableColumnFlags_WidthStretch, shares[i]);
  ImGui::TableNextRow(ImGuiTableRowFlags_Headers);
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  for (int i = 0; i < 7; ++i) {
    ImGui::TableNextColumn();
    if (i < 3) {
      ImGui::TextUnformatted(names[i]);
    } else {
      text_right(names[i]);
    }
  }
  ImGui::PopStyleColor();
}

}  // namespace

void ReceiptView::draw(const Session& session, UiState& ui, Commands& commands) {
  const bool running = !session.converting_receipts.empty() && is_pending(session, ui.convert_job);
  if (!session.receipt && !running) {
    if (empty_state("The receipt of a conversion appears here: what each layer and each stage cost, measured.",
                    session.model && ui.plan.plan().empty() ? "Suggest a plan" : nullptr))
      run_action("plan.suggest", {session, ui, commands});
    return;
  }
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const ImVec2 space = ImGui::GetContentRegionAvail();
  const std::vector<LayerReceipt>& layers = running ? session.converting_receipts : session.receipt->layers;
  if (!running) draw_summary(*session.receipt);
  draw_layers(layers, ui);
  Exports exports{"receipt", [&layers] { return receipt_csv(layers); }};
  if (session.receipt) exports.json = [&session] { return receipt_text(*session.receipt); };
  export_menu("receipt export", {low.x, low.y, space.x, space.y}, exports, commands);
}

void ReceiptView::draw_summary(const Receipt& receipt) {
  const double loss = receipt.nll_after - receipt.nll_before;
  ImGui::PushFont(bold_font(), ImGui::GetStyle().FontSizeBase * 1.1F);
  ImGui::AlignTextToFramePadding();
  ImGui::Text("\u0394loss %+.4f", loss);
  ImGui::PopFont();
  const ShortText change_text = format("%.4f \u2192 %.4f nats per token on %lld held-out tokens", receipt.nll_before,
                                       receipt.nll_after, static_cast<long long>(receipt.eval_tokens));
  ImGui::SameLine();
  const bool fits = ImGui::CalcTextSize(change_text.c_str()).x + px(72) < ImGui::GetContentRegionAvail().x;
  if (fits) {
    ImGui::TextColored(colors().dim, "%s", change_text.c_str());
    ImGui::SameLine();
  }
  export_button("receipt export");
  if (!fits) caption(change_text.c_str());
  if (!ImGui::BeginTable("summary", 2, ImGuiTableFlags_PadOuterX)) return;
  ImGui::TableNextColumn();
  value_row("Parameters", change(receipt.sizes_before.params, receipt.sizes_after.params).c_str(), "Exact");
  value_row("Used by one token", change(receipt.sizes_before.active_params, receipt.sizes_after.active_params).c_str(),
            "Exact");
  value_row("KV cache",
            change(receipt.sizes_before.kv_values_per_token, receipt.sizes_after.kv_values_per_token).c_str(), "Exact");
  value_row("KV cache of a token",
            format("%s \u2192 %s", format_bytes(receipt.kv_bytes_per_token_before).c_str(),
                   format_bytes(receipt.kv_bytes_per_token_after).c_str())
                .c_str(),
            "In the model's dtype");
  ImGui::TableNextColumn();
  value_row("Time", format("%s on %s, %s", format_seconds(receipt.seconds).c_str(), receipt.device.c_str(),
                           receipt.dtype.c_str())
                        .c_str());
  value_row("Calibration",
            format("%lld tokens, %.8s\u2026", static_cast<long long>(receipt.calibration_tokens),
                   receipt.calibration_sha256.c_str())
                .c_str(),
            "Tokens read and the sha256 of the text");
  value_row("Seed", format("%llu", static_cast<unsigned long long>(receipt.seed)).c_str());
  ImGui::EndTable();
}

void ReceiptView::draw_layers(const std::vector<LayerReceipt>& layers, UiState& ui) {
  const float footer = ImGui::GetTextLineHeightWithSpacing() + px(4);
  const ImGuiTableFlags flags = ImGuiTableFlags_RowBg | ImGuiTableFlags_ScrollY | ImGuiTableFlags_PadOuterX;
  if (ImGui::BeginTable("layers", 7, flags, {0, std::max(px(120), ImGui::GetContentRegionAvail().y - footer)})) {
    ImGui::TableSetupScrollFreeze(0, 1);
    draw_header();
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const LayerReceipt& receipt = layers[i];
      const bool attention = receipt.part == LayerPart::Attention;
      const Cell cell{receipt.layer, receipt.part};
      ImGui::TableNextRow();
      ImGui::TableNextColumn();
      ImGui::PushStyleColor(ImGuiCol_Text, attention ? colors().mla : colors().moe);
      const ShortText name =
          format("%lld %s##%zu", static_cast<long long>(receipt.layer), attention ? "MLA" : "MoE", i);
      if (ImGui::Selectable(name.c_str(), ui.selection.contains(cell))) ui.selection.only(cell);
      ImGui::PopStyleColor();
      ImGui::TableNextColumn();
      ImGui::TextUnformatted(receipt.method.c_str());
      ImGui::TableNextColumn();
      draw_stages(receipt);
      number(format_value(receipt.relative_error).c_str());
      number(change(receipt.params_before, receipt.params_after).c_str());
      number(attention ? change(receipt.kv_values_before, receipt.kv_values_after).c_str() : "");
      number(format_seconds(receipt.seconds).c_str());
    }
    ImGui::EndTable();
  }
  draw_shade_scale();
}

}  // namespace lathe
