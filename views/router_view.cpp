#include "views/router_view.h"

#include <implot.h>

#include <algorithm>
#include <cmath>

#include "views/actions.h"
#include "views/data_files.h"
#include "views/token_text.h"
#include "views/widgets.h"

namespace lathe {
namespace {

constexpr float kNumbersWidth = 212.0F;

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

/// A button for each layer with experts.
void choose_layer(const ModelConfig& config, UiState& ui) {
  if (!is_converted(config, {ui.router_layer, LayerPart::FeedForward})) ui.router_layer = first_moe_layer(config);
  for (std::int64_t layer = 0; layer < config.num_layers(); ++layer) {
    if (!is_converted(config, {layer, LayerPart::FeedForward})) continue;
    const bool on = layer == ui.router_layer;
    ImGui::PushStyleColor(ImGuiCol_Button, on ? colors().accent_soft : colors().field);
    if (ImGui::Button(format("L%lld", static_cast<long long>(layer)).c_str())) ui.router_layer = layer;
    ImGui::PopStyleColor();
    ImGui::SameLine(0, px(4));
  }
}

/// A button for each expert in its colour; pressed again, none stands out.
void choose_expert(std::int64_t num_experts, UiState& ui) {
  for (std::int64_t expert = 0; expert < num_experts; ++expert) {
    ImGui::SameLine(0, expert == 0 ? px(24) : px(2));
    const ImU32 tint = expert_color(expert, num_experts, -1, 0.55F);
    ImGui::PushStyleColor(ImGuiCol_Button, ui.router_expert == expert ? color(colors().accent) : tint);
    if (ImGui::Button(format("%lld##expert", static_cast<long long>(expert)).c_str()))
      ui.router_expert = ui.router_expert == expert ? -1 : expert;
    ImGui::PopStyleColor();
    explain("Highlight what this expert took; press again for all");
  }
  ImGui::NewLine();
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

void draw_scale() {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = px(96);
  for (int i = 0; i < 48; ++i) {
    const float x = at.x + width * static_cast<float>(i) / 48.0F;
    ImGui::GetWindowDrawList()->AddRectFilled({x, at.y + px(5)}, {x + width / 48.0F + 1, at.y + px(13)},
                                              sample(cividis(), static_cast<float>(i) / 47.0F));
  }
  ImGui::Dummy({width, px(18)});
  ImGui::SameLine();
  caption("load: 0 to twice the even share");
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
    if (empty_state("The load of each expert is measured while the model trains.", "Start healing"))
      run_action("train.start", {session, ui, commands});
  } else if (page_ == 0) {
    draw_load(session);
  } else {
    draw_balance(session);
  }
  Exports exports{"router", [&session] { return router_csv(session.train); }};
  if (page_ == 2) {
    exports.csv = [&session] {
      std::string all;
      for (const auto& [layer, choices] : session.router_choices) all += choices_csv(*choices);
      return all;
    };
  }
  export_menu("router export", {low.x, low.y, space.x, space.y}, exports, commands);
}

void RouterView::draw_load(const Session& session) {
  const auto layers = static_cast<float>(session.train.routers.size());
  const float footer = ImGui::GetTextLineHeightWithSpacing() + px(4);
  const float space = ImGui::GetContentRegionAvail().y - footer;
  const float height = std::clamp(space / layers - px(6), px(28), px(96));
  if (ImGui::BeginChild("strips", {0, -footer})) {
    for (const auto& entry : session.train.routers) draw_strip(entry.first, session.train, height);
  }
  ImGui::EndChild();
  draw_scale();
}

void RouterView::draw_strip(std::int64_t layer, const TrainCurves& train, float height) {
  LoadStrip& strip = strips_[layer];
  const RouterHistory& history = train.routers.at(layer);
  strip.follow(history, train.run);
  if (strip.experts() == 0) return;
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float numbers = px(kNumbersWidth);
  const float label = px(40);
  const ImVec2 low = {at.x + label, at.y};
  const ImVec2 high = {std::max(low.x + px(40), at.x + ImGui::GetContentRegionAvail().x - numbers), at.y + height};
  ImDrawList* list = ImGui::GetWindowDrawList();
  list->AddText({at.x, at.y + (height - ImGui::GetTextLineHeight()) / 2}, color(colors().dim),
                format("L%lld", static_cast<long long>(layer)).c_str());
  strip.texture().draw(list, low, high);
  const double experts = static_cast<double>(strip.experts());
  const double entropy = static_cast<double>(history.entropy.back()) / std::log(std::max(2.0, experts));
  const ShortText text =
      format("H %.3f  MaxVio %.2f  dead %.0f", entropy, static_cast<double>(history.max_violation.back()),
             static_cast<double>(history.dead.back()));
  const float size = ImGui::GetFontSize() * 0.85F;
  list->AddText(mono_font(), size, {high.x + px(8), at.y + (height - size) / 2},
                color(history.dead.back() > 0 ? colors().warning : colors().dim), text.c_str());
  ImGui::Dummy({ImGui::GetContentRegionAvail().x, height});
  if (!ImGui::IsItemHovered() || !ImGui::IsMouseHoveringRect(low, high) || !ImGui::BeginTooltip()) return;
  const ImVec2 mouse = ImGui::GetMousePos();
  const auto columns = static_cast<std::size_t>(strip.texture().width());
  const float x = (mouse.x - low.x) / (high.x - low.x) * static_cast<float>(columns);
  const float y = (mouse.y - low.y) / height * static_cast<float>(strip.experts());
  const std::size_t column = std::min(static_cast<std::size_t>(x), columns - 1);
  const std::size_t expert = std::min(static_cast<std::size_t>(y), strip.experts() - 1);
  ImGui::Text("Layer %lld, expert %zu", static_cast<long long>(layer), expert);
  ImGui::Text(
      "step %zu%s: %.1f %% of the choices", column * strip.pool() + 1,
      strip.pool() > 1 ? format(" to %zu, mean", std::min((column + 1) * strip.pool(), strip.steps())).c_str() : "",
      100.0 * static_cast<double>(strip.load(column, expert)));
  ImGui::Text("even share %.1f %%", 100.0 / experts);
  ImGui::EndTooltip();
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
  const Curve curves[] = {{"entropy, nats", &RouterHistory::entropy, &entropy_},
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
        plot_series(format("L%lld", static_cast<long long>(layer)).c_str(), history.*curve.series, tint);
      }
      end_step_plot(*curve.follow);
    }
    ImGui::EndGroup();
  }
  caption(
      "Measured at every step. Entropy of the load, ln(experts) at balance; MaxVio = max load / mean load \u2212 1.");
}

void RouterView::draw_tokens(const Session& session, UiState& ui, Commands& commands) {
  choose_layer(session.model->config, ui);
  commands.watch({.kind = PictureKind::RouterChoices, .layer = ui.router_layer, .prompt = ui.attention_prompt});
  const auto found = session.router_choices.find(ui.router_layer);
  const bool any = found != session.router_choices.end() && found->second && found->second->top_k > 0;
  if (!any || found->second->tokens.empty()) {
    ImGui::NewLine();
    if (empty_state("Which experts each token of the prompt went to appears after something was written.", "Write"))
      run_action("generate.write", {session, ui, commands});
    return;
  }
  choose_expert(found->second->num_experts, ui);
  draw_choices(*found->second, ui.router_expert);
  caption("Measured: the expert with the largest weight colours each token; hover for all.");
}

}  // namespace lathe
