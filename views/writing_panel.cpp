#include "views/writing_panel.h"

#include <algorithm>
#include <cmath>

#include "views/token_text.h"
#include "views/widgets.h"

namespace lathe {
namespace {

/// Unlikely tokens glow; a certain one has no background.
ImU32 surprise_color(float probability) {
  const float surprise = std::clamp(-std::log2(std::max(probability, 1e-6F)) / 8.0F, 0.0F, 1.0F);
  return color(colors().moe, 0.5F * surprise);
}

void token_tooltip(const TokenChoice& choice, std::size_t position) {
  if (!ImGui::BeginTooltip()) return;
  ImGui::PushFont(mono_font(), 0);
  ImGui::Text("%s", visible_token(choice.token.text).c_str());
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  ImGui::Text("token %lld at %zu, p = %s, %.2f bits", static_cast<long long>(choice.token.id), position,
              format_value(static_cast<double>(choice.probability)).c_str(),
              -std::log2(std::max(1e-12, static_cast<double>(choice.probability))));
  ImGui::PopStyleColor();
  for (const auto& [token, probability] : choice.alternatives) {
    const bool chosen = token.id == choice.token.id;
    ImGui::TextColored(chosen ? colors().accent : colors().text, "%6.2f %%", 100.0 * static_cast<double>(probability));
    ImGui::SameLine();
    const ImVec2 at = ImGui::GetCursorScreenPos();
    ImGui::GetWindowDrawList()->AddRectFilled({at.x, at.y + px(4)}, {at.x + px(80) * probability, at.y + px(12)},
                                              color(chosen ? colors().accent : colors().plain), px(2));
    ImGui::SetCursorScreenPos({at.x + px(88), at.y});
    ImGui::TextColored(chosen ? colors().accent : colors().text, "%s", visible_token(token.text).c_str());
  }
  ImGui::PopFont();
  ImGui::EndTooltip();
}

/// Word by word, so that lines break between them.
void add_words(TokenFlow& flow, std::string_view text, ImU32 ink) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n", 1), text.size());
    flow.add(text.substr(0, end), 0, ink);
    text.remove_prefix(end);
  }
}

void draw_figures(const char* title, const Writing& writing) {
  ImGui::PushFont(bold_font(), 0);
  ImGui::TextUnformatted(title);
  ImGui::PopFont();
  if (!writing.result) return;
  const Generated& result = *writing.result;
  const ShortText speed = format("%.1f tok/s", result.tokens_per_second);
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  ImGui::PushFont(mono_font(), ImGui::GetStyle().FontSizeBase * 0.9F);
  same_line_if_fits(ImGui::CalcTextSize(speed.c_str()).x, px(8));
  text_right(speed.c_str());
  ImGui::PopFont();
  ImGui::PopStyleColor();
  explain(format("Measured: %lld prompt tokens in %s, cache %s, ended by %s",
                 static_cast<long long>(result.prompt_tokens), format_seconds(result.prefill_seconds).c_str(),
                 format_bytes(result.cache_bytes).c_str(), result.finish.c_str())
              .c_str());
}

}  // namespace

void draw_writing(const char* title, const Writing& writing, const UiState& ui, std::size_t differs_at) {
  draw_figures(title, writing);
  ImGui::Separator();
  TokenFlow flow;
  add_words(flow, writing.prompt, color(colors().faint));
  std::size_t hovered = writing.tokens.size();
  for (std::size_t i = 0; i < writing.tokens.size(); ++i) {
    const TokenChoice& choice = writing.tokens[i];
    const ImU32 tint = ui.tint_tokens ? surprise_color(choice.probability) : 0;
    const ImU32 ink = color(i == differs_at ? colors().error : colors().text);
    if (flow.add(choice.token.text, tint, ink)) hovered = i;
    if (i == differs_at) {
      const ImVec2 low = flow.last_low();
      const ImVec2 high = flow.last_high();
      ImGui::GetWindowDrawList()->AddLine({low.x, high.y}, high, color(colors().error), px(2));
    }
  }
  flow.end();
  if (hovered < writing.tokens.size()) token_tooltip(writing.tokens[hovered], hovered);
}

}  // namespace lathe
