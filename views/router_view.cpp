#include "views/router_view.h"

#include <implot.h>

#include <algorithm>
#include <utility>

#include "views/actions.h"
#include "views/data_files.h"
#include "views/load_panel.h"
#include "views/reasons.h"
#include "views/token_text.h"
#include "views/widgets.h"

namespace lathe {
namespace {

/// Eight experts have colours of their own; more share the colour of magnitude, and one chosen stands out.
ImU32 expert_color(std::int64_t expert, std::int64_t num_experts, std::int64_t highlighted, float alpha) {
  if (highlighted >= 0) return expert == highlighted ? color(colors().accent, alpha) : 0;
  if (num_experts > 8) return color(colors().faint, alpha * 0.6F);
  return (okabe_ito(static_cast<int>(expert)) & ~IM_COL32_A_MASK) | static_cast<ImU32>(alpha * 255.0F)
                                                                        << IM_COL32_A_SHIFT;
}

void choice_tooltip(const RouterChoices& choices, std::size_t token) {
  if (!ImGui::BeginTooltip()) return;
  ImGui::PushFont(mono_font(), 0);
  ImGui::Text("%s  token %zu", visible_token(choices.tokens[token].text).c_str(), token);
  const auto top_k = static_cast<std::size_t>(choices.top_k);
  for (std::size_t k = 0; k < top_k; ++k)
    ImGui::Text("expert %2d  %.3f", choices.experts[token * top_k + k],
                static_cast<double>(choices.weights[token * top_k + k]));
  ImGui::PopFont();
  ImGui::EndTooltip();
}

float button_width(const char* label) {
  return ImGui::CalcTextSize(label, nullptr, true).x + 2 * ImGui::GetStyle().FramePadding.x;
}

/// A button for each layer with experts, on as many lines as they need.
void choose_layer(const ModelConfig& config, UiState& ui) {
  if (!is_converted(config, {ui.router_layer, LayerPart::FeedForward})) ui.router_layer = first_moe_layer(config);
  bool first = true;
  for (std::int64_t layer = 0; layer < config.num_layers(); ++layer) {
    if (!is_converted(config, {layer, LayerPart::FeedForward})) continue;
    const bool on = layer == ui.router_layer;
    const ShortText label = format("L%lld", static_cast<long long>(layer));
    if (!std::exchange(first, false)) same_line_if_fits(button_width(label.c_str()), px(4));
    ImGui::PushStyleColor(ImGuiCol_Button, on ? colors().accent_soft : colors().field);
    if (ImGui::Button(label.c_str())) ui.router_layer = layer;
    ImGui::PopStyleColor();
  }
}

/// A button for each expert in its colour; pressed again, none stands out.
void choose_expert(std::int64_t num_experts, UiState& ui) {
  for (std::int64_t expert = 0; expert < num_experts; ++expert) {
    const ShortText label = format("%lld##expert", static_cast<long long>(expert));
    if (expert > 0) same_line_if_fits(button_width(label.c_str()), px(2));
    const ImU32 tint = expert_color(expert, num_experts, -1, 0.55F);
    ImGui::PushStyleColor(ImGuiCol_Button, ui.router_expert == expert ? color(colors().accent) : tint);
    if (ImGui::Button(label.c_str())) ui.router_expert = ui.router_expert == expert ? -1 : expert;
    ImGui::PopStyleColor();
    explain("Highlight what this expert took; press again for all");
  }
}

/// The colour of a token: that of its first expert, or of the highlighted one if it went there at all.
ImU32 token_color(const RouterChoices& choices, std::size_t token, std::int64_t highlighted) {
  const auto top_k = static_cast<std::size_t>(choices.top_k);
  for (std::size_t k = 0; k < top_k; ++k) {
    const std::int64_t expert = choices.experts[token * top_k + k];
    if (highlighted < 0 || expert == highlighted) return expert_color(expert, choices.num_experts, highlighted, 0.42F);
  }
  return 0;
}

void draw_choices(const RouterChoices& choices, std::int64_t highlighted) {
  const std::size_t known = choices.experts.size() / static_cast<std::size_t>(choices.top_k);
  const std::size_t count = std::min(choices.tokens.size(), known);
  std::size_t hovered = count;
  TokenFlow flow;
  for (std::size_t i = 0; i < count; ++i) {
    if (flow.add(choices.tokens[i].text, token_color(choices, i, highlighted), color(colors().text))) hovered = i;
  }
  flow.end();
  if (hovered < count) choice_tooltip(choices, hovered);
}

}  // namespace

std::int64_t first_moe_layer(const ModelConfig& config) {
  for (std::size_t layer = 0; layer < config.layers.size(); ++layer)
    if (config.layers[layer].feed_forward.kind == FeedForwardKind::Moe) return static_cast<std::int64_t>(layer);
  return -1;
}

void RouterView::draw(const Session& session, UiState& ui, Commands& commands) {
  if (!session.model || first_moe_layer(session.model->config) < 0) {
    if (empty_state("No layer has experts. Plan an MoE layer on the board (E) and convert it: how its router spreads "
                    "tokens appears here.",
                    session.model ? "Go to Design" : nullptr))
      ui.settings.workspace = Workspace::Design;
    return;
  }
  segmented("page", {"Load", "Balance", "Tokens"}, page_);
  ImGui::SameLine();
  export_button("router export");
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const ImVec2 space = ImGui::GetContentRegionAvail();
  if (page_ == 2) {
    draw_tokens(session, ui, commands);
  } else if (session.train.routers.empty()) {
    if (empty_state("The load of each expert is measured while the model trains.", "Start healing",
                    why_not_train({session, ui, commands})))
      run_action("train.start", {session, ui, commands});
  } else if (page_ == 0) {
    draw_load(session);
  } else {
    draw_balance(session);
  }
  Exports exports{"router", [&session] { return router_csv(session.train); }};
  if (page_ == 2) {
    exports.csv = [&session] { return choices_csv(session.router_choices); };
  }
  export_menu("router export", {low.x, low.y, space.x, space.y}, exports, commands);
}

void RouterView::draw_load(const Session& session) {
  const auto layers = static_cast<float>(session.train.routers.size());
  const float footer = 2 * ImGui::GetTextLineHeightWithSpacing();
  const float space = ImGui::GetContentRegionAvail().y - footer;
  const float height = std::clamp(space / layers - px(6), px(30), px(96));
  if (ImGui::BeginChild("strips", {0, std::min(space, (height + ImGui::GetStyle().ItemSpacing.y) * layers)})) {
    for (const auto& [layer, history] : session.train.routers) {
      strips_[layer].follow(history, session.train.run);
      draw_load_strip(layer, history, strips_[layer], height);
    }
  }
  ImGui::EndChild();
  draw_load_axis(session.train.loss.size());
}

void RouterView::draw_balance(const Session& session) {
  const ImVec2 space = ImGui::GetContentRegionAvail();
  const float footer = ImGui::GetTextLineHeightWithSpacing();
  const ImVec2 size = {(space.x - 2 * px(8)) / 3, space.y - 2 * footer - px(4)};
  struct Curve {
    const char* title;
    const Series RouterHistory::*series;
    PlotFollow* follow;
  };
  const Curve curves[] = {{"H / ln E", &RouterHistory::entropy, &entropy_},
                          {"MaxVio", &RouterHistory::max_violation, &violation_},
                          {"dead experts", &RouterHistory::dead, &dead_}};
  for (const Curve& curve : curves) {
    if (curve.follow != &entropy_) ImGui::SameLine(0, px(8));
    ImGui::BeginGroup();
    caption(curve.title);
    const PlotOptions options{.format = "%.3g",
                              .legend = curve.follow == &violation_,
                              .x_last = static_cast<double>(session.train.loss.size())};
    if (begin_step_plot(format("##%s", curve.title).c_str(), size, options, *curve.follow)) {
      int index = 0;
      for (const auto& [layer, history] : session.train.routers) {
        const ImVec4 tint = ImGui::ColorConvertU32ToFloat4(okabe_ito(index++));
        const double scale =
            curve.follow == &entropy_ && !history.load.empty() ? entropy_scale(history.load.front().size()) : 1.0;
        plot_series(format("L%lld", static_cast<long long>(layer)).c_str(), history.*curve.series,
                    {.tint = tint, .scale = scale});
      }
      end_step_plot(*curve.follow);
    }
    ImGui::EndGroup();
  }
  caption(
      "Measured at every step. H / ln E: entropy of the load over ln(experts), 1 at balance; MaxVio = max load / mean "
      "load \u2212 1.");
}

void RouterView::draw_tokens(const Session& session, UiState& ui, Commands& commands) {
  choose_layer(session.model->config, ui);
  commands.watch({.kind = PictureKind::RouterChoices, .layer = ui.router_layer, .prompt = ui.attention_prompt});
  const auto found = session.router_choices.find(ui.router_layer);
  const bool any = found != session.router_choices.end() && found->second && found->second->top_k > 0;
  if (!any || found->second->tokens.empty()) {
    if (empty_state("Which experts each token of the prompt went to appears after something was written.", "Write",
                    why_not_write({session, ui, commands})))
      run_action("generate.write", {session, ui, commands});
    return;
  }
  choose_expert(found->second->num_experts, ui);
  draw_choices(*found->second, ui.router_expert);
  caption("Measured: the expert with the largest weight colours each token; hover for all.");
}

}  // namespace lathe
