#include "views/loss_view.h"

#include <implot.h>

#include <algorithm>

#include "views/actions.h"
#include "views/data_files.h"
#include "views/widgets.h"

namespace lathe {
namespace {

/// Draws the raw curve faintly under its average, or alone.
void plot_smoothed(const char* label, const Series& series, Smoothed& smoothed, const ImVec4& tint, float weight) {
  if (weight <= 0.0F) {
    plot_series(label, series, tint);
    return;
  }
  const ImVec4 faint = {tint.x, tint.y, tint.z, 0.28F};
  plot_series(format("##raw %s", label).c_str(), series, faint, 1.0F);
  plot_series(label, smoothed.follow(series, weight), tint, 1.8F);
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

bool any_above_zero(const Series& series) { return !series.empty() && series.extent(0, series.size()).high > 0.0F; }

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
    } else if (empty_state("No training run yet. Start one and the loss of every step appears here.",
                           "Start healing")) {
      run_action("train.start", {session, ui, commands});
    }
    return;
  }
  draw_tools(session, ui);
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const ImVec2 space = ImGui::GetContentRegionAvail();
  const float footer = ImGui::GetTextLineHeightWithSpacing();
  draw_loss(train, ui.settings, {space.x, space.y - footer});
  const PixelRect rect = {low.x, low.y, space.x, ImGui::GetCursorScreenPos().y - low.y};
  caption("Measured at every step, nats per token; all points kept. Double click to follow the run.");
  export_menu("loss export", rect,
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
  if (train.skipped > 0) {
    ImGui::SameLine(0, px(16));
    ImGui::TextColored(colors().warning, "%lld skipped", static_cast<long long>(train.skipped));
    explain("Steps whose loss or gradient was not finite: the weights were left as they were");
  }
  ImGui::SameLine(0, px(24));
  ImGui::TextUnformatted("smoothing");
  ImGui::PopStyleColor();
  ImGui::SameLine();
  ImGui::SetNextItemWidth(px(110));
  ImGui::SliderFloat("##smoothing", &ui.settings.smoothing, 0.0F, 0.99F, "%.2f", ImGuiSliderFlags_AlwaysClamp);
  explain("Exponential moving average: s_i = (w s_{i-1} + (1 - w) x_i) / (1 - w^i); the raw curve stays visible");
  ImGui::SameLine(0, px(16));
  ImGui::Checkbox("log", &ui.settings.log_loss);
  ImGui::SameLine();
  export_button("loss export");
}

void LossView::draw_loss(const TrainCurves& train, const Settings& settings, ImVec2 size) {
  for (Smoothed* smoothed : {&loss_, &next_token_, &kl_}) smoothed->follow_run(train.run);
  PlotOptions options{
      .log = settings.log_loss,
      .x_last = static_cast<double>(std::max<std::int64_t>(train.steps, static_cast<std::int64_t>(train.loss.size())))};
  // The KL is of another size than the losses and would flatten them on their axis.
  const bool has_kl = any_above_zero(train.kl);
  if (has_kl) options.second_axis = "KL";
  if (!begin_step_plot("##loss", size, options, follow_)) return;
  plot_smoothed("loss", train.loss, loss_, colors().accent, settings.smoothing);
  plot_smoothed("next token", train.next_token, next_token_, colors().mla, settings.smoothing);
  plot_held_out(train);
  if (has_kl) {
    ImPlot::SetAxes(ImAxis_X1, ImAxis_Y2);
    plot_smoothed("KL (right)", train.kl, kl_, colors().moe, settings.smoothing);
  }
  end_step_plot(follow_);
}

}  // namespace lathe
