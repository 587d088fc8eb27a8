#include "views/loss_view.h"

#include <implot.h>

#include <algorithm>
#include <array>

#include "views/actions.h"
#include "views/data_files.h"
#include "views/reasons.h"
#include "views/widgets.h"

namespace lathe {
namespace {

/// Draws the raw curve faintly under its average, or alone.
void plot_smoothed(const char* label, const Series& series, Smoothed& smoothed, const ImVec4& tint, float weight) {
  if (weight <= 0.0F) {
    plot_series(label, series, {tint});
    return;
  }
  const ImVec4 faint = {tint.x, tint.y, tint.z, 0.28F};
  plot_series(format("##raw %s", label).c_str(), series, {faint, 1.0F});
  plot_series(label, smoothed.follow(series, weight), {tint, 1.8F});
}

void plot_held_out(const TrainCurves& train) {
  if (train.held_out.empty()) return;
  static thread_local std::vector<double> x, y;
  x.clear();
  y.clear();
  for (const HeldOut& held : train.held_out) {
    x.push_back(std::max(1.0, static_cast<double>(held.step)));
    y.push_back(held.nll);
  }
  ImPlotSpec spec;
  spec.LineColor = spec.MarkerFillColor = spec.MarkerLineColor = colors().text;
  spec.Marker = ImPlotMarker_Circle;
  spec.MarkerSize = px(4);
  spec.LineWeight = px(1);
  ImPlot::PlotLine("held-out", x.data(), y.data(), static_cast<int>(x.size()), spec);
  const double original = train.held_out.front().original;
  ImPlotSpec line;
  line.LineColor = colors().faint;
  line.Flags = ImPlotInfLinesFlags_Horizontal;
  ImPlot::PlotInfLines("original", &original, 1, line);
}

/// A part of the loss that is of another size than the losses and would be flat on their axis.
struct RightPart {
  const char* name;
  const char* label;
  const char* axis;
  const Series TrainCurves::*series;
  bool LossParts::*shown;
  const ImVec4 Palette::*tint;
  bool smooths;
};

constexpr std::array<RightPart, LossView::kRightParts> kParts = {{
    {"KL to the original", "KL", "KL", &TrainCurves::kl, &LossParts::kl, &Palette::moe, true},
    {"balance", "balance", "balance", &TrainCurves::balance, &LossParts::balance, &Palette::good, true},
    {"learning rate", "learning rate", "rate", &TrainCurves::lr, &LossParts::lr, &Palette::dim, false},
}};

bool any_above_zero(const Series& series) { return !series.empty() && series.extent(0, series.size()).high > 0.0F; }

/// The parts that are drawn, by index into kParts: one for each axis at the right, -1 for an axis that is free.
std::array<int, 2> parts_at_right(const TrainCurves& train, const LossParts& parts) {
  std::array<int, 2> chosen = {-1, -1};
  std::size_t count = 0;
  for (int i = 0; i < LossView::kRightParts && count < chosen.size(); ++i) {
    const RightPart& part = kParts[static_cast<std::size_t>(i)];
    if (parts.*part.shown && any_above_zero(train.*part.series)) chosen[count++] = i;
  }
  return chosen;
}

/// A menu of what is drawn beside the loss.
void choose_parts(const TrainCurves& train, LossParts& parts) {
  if (ImGui::Button("Parts")) ImGui::OpenPopup("loss parts");
  explain("What is drawn beside the loss");
  if (!ImGui::BeginPopup("loss parts")) return;
  ImGui::Checkbox("next token", &parts.next_token);
  const bool is_full = parts_at_right(train, parts).back() >= 0;
  for (const RightPart& part : kParts) {
    const bool has_any = any_above_zero(train.*part.series);
    const bool can = has_any && (parts.*part.shown || !is_full);
    ImGui::BeginDisabled(!can);
    ImGui::Checkbox(part.name, &(parts.*part.shown));
    ImGui::EndDisabled();
    if (!can) explain(has_any ? "Both axes at the right are taken; switch one part off" : "This run has none of it");
  }
  ImGui::EndPopup();
}

}  // namespace

void LossView::draw(const Session& session, UiState& ui, Commands& commands) {
  const TrainCurves& train = session.train;
  if (train.loss.empty()) {
    if (is_pending(session, ui.train_job)) {
      empty_state("The run is being prepared; the first step appears here when it is done.");
    } else if (!session.model) {
      if (empty_state("Open a model, convert some layers, then heal them: the loss of every step appears here.",
                      "Open the tiny model"))
        open_model({session, ui, commands}, "tiny");
    } else if (empty_state("No training run yet. Start one and the loss of every step appears here.", "Start healing",
                           why_not_train({session, ui, commands}))) {
      run_action("train.start", {session, ui, commands});
    }
    return;
  }
  draw_tools(session, ui);
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const ImVec2 space = ImGui::GetContentRegionAvail();
  draw_loss(train, ui.settings, space);
  export_menu("loss export", {low.x, low.y, space.x, space.y},
              {"loss", [&train] { return train_csv(train); }, [&train] { return train_json(train); }}, commands);
}

void LossView::draw_tools(const Session& session, UiState& ui) {
  const TrainCurves& train = session.train;
  ImGui::PushFont(mono_font(), 0);
  ImGui::AlignTextToFramePadding();
  ImGui::Text("%s", format_value(static_cast<double>(train.loss.back())).c_str());
  ImGui::PopFont();
  explain("Loss of the last step: next token + balance weight x balance + KL weight x KL");
  ImGui::SameLine(0, px(16));
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  ImGui::Text("step %zu of %lld", train.loss.size(), static_cast<long long>(train.steps));
  explain("Measured at every step, nats per token; every point is kept. Double click the plot to follow the run");
  if (train.skipped > 0) {
    ImGui::SameLine(0, px(16));
    ImGui::TextColored(colors().warning, "%lld skipped", static_cast<long long>(train.skipped));
    explain("Steps whose loss or gradient was not finite: the weights were left as they were");
  }
  same_line_if_fits(ImGui::CalcTextSize("smoothing").x + px(118), px(24));
  ImGui::AlignTextToFramePadding();
  ImGui::TextUnformatted("smoothing");
  ImGui::PopStyleColor();
  ImGui::SameLine();
  ImGui::SetNextItemWidth(px(110));
  ImGui::SliderFloat("##smoothing", &ui.settings.smoothing, 0.0F, 0.99F, "%.2f", ImGuiSliderFlags_AlwaysClamp);
  explain("Exponential moving average: s_i = (w s_{i-1} + (1 - w) x_i) / (1 - w^i); the raw curve stays visible");
  same_line_if_fits(px(64), px(16));
  ImGui::Checkbox("log", &ui.settings.log_loss);
  same_line_if_fits(px(64), px(16));
  choose_parts(train, ui.settings.loss_parts);
  same_line_if_fits(px(64), px(8));
  export_button("loss export");
}

void LossView::draw_loss(const TrainCurves& train, const Settings& settings, ImVec2 size) {
  for (Smoothed* smoothed : {&loss_, &next_token_}) smoothed->follow_run(train.run);
  for (Smoothed& smoothed : right_) smoothed.follow_run(train.run);
  PlotOptions options{
      .log = settings.log_loss,
      .legend = size.y > px(kLeastForLegend),
      .x_last = static_cast<double>(std::max<std::int64_t>(train.steps, static_cast<std::int64_t>(train.loss.size())))};
  const std::array<int, 2> right = parts_at_right(train, settings.loss_parts);
  const auto part_at = [&](std::size_t axis) -> const RightPart& {
    return kParts[static_cast<std::size_t>(right[axis])];
  };
  for (std::size_t axis = 0; axis < right.size(); ++axis)
    if (right[axis] >= 0) options.right_axes[axis] = part_at(axis).axis;
  if (!begin_step_plot("##loss", size, options, follow_)) return;
  if (settings.loss_parts.next_token)
    plot_smoothed("next token", train.next_token, next_token_, colors().mla, settings.smoothing);
  plot_smoothed("loss", train.loss, loss_, colors().accent, settings.smoothing);
  plot_held_out(train);
  for (std::size_t axis = 0; axis < right.size(); ++axis) {
    if (right[axis] < 0) continue;
    const RightPart& part = part_at(axis);
    ImPlot::SetAxes(ImAxis_X1, ImAxis_Y2 + static_cast<int>(axis));
    plot_smoothed(part.label, train.*part.series, right_[static_cast<std::size_t>(right[axis])], colors().*part.tint,
                  part.smooths ? settings.smoothing : 0.0F);
  }
  end_step_plot(follow_);
}

}  // namespace lathe
