#include "views/line_plot.h"

#include <implot.h>

#include <algorithm>
#include <cmath>

#include "views/theme.h"

namespace lathe {
namespace {

constexpr float kLeastForWideLegend = 600.0F;

}  // namespace

void Smoothed::follow_run(JobId run) {
  if (run == run_) return;
  *this = Smoothed();
  run_ = run;
}

const Series& Smoothed::follow(const Series& series, float weight) {
  if (smooth_.size() > series.size() || weight != weight_) {
    const JobId run = run_;
    *this = Smoothed();
    weight_ = weight;
    run_ = run;
  }
  for (std::size_t i = smooth_.size(); i < series.size(); ++i) {
    const double sample = static_cast<double>(series[i]);
    if (!std::isfinite(sample)) {
      smooth_.append(series[i]);
      continue;
    }
    const double past = static_cast<double>(weight_);
    average_ = past * average_ + (1.0 - past) * sample;
    bias_ *= past;
    smooth_.append(static_cast<float>(average_ / (1.0 - bias_)));
  }
  return smooth_;
}

bool begin_step_plot(const char* id, ImVec2 size, const PlotOptions& options, const PlotFollow& follow) {
  ImPlotFlags flags = ImPlotFlags_NoMenus | ImPlotFlags_NoTitle | ImPlotFlags_NoFrame;
  if (!options.legend) flags |= ImPlotFlags_NoLegend;
  if (!ImPlot::BeginPlot(id, size, flags)) return false;
  const ImPlotAxisFlags fit = follow.follows ? ImPlotAxisFlags_AutoFit | ImPlotAxisFlags_RangeFit : 0;
  ImPlot::SetupAxis(ImAxis_X1, nullptr, ImPlotAxisFlags_NoHighlight);
  ImPlot::SetupAxis(ImAxis_Y1, options.y_label, ImPlotAxisFlags_NoHighlight | fit);
  ImPlot::SetupAxisLimits(ImAxis_X1, 1.0, std::max(2.0, options.x_last),
                          follow.follows ? ImPlotCond_Always : ImPlotCond_Once);
  for (std::size_t i = 0; i < options.right_axes.size(); ++i) {
    if (options.right_axes[i] != nullptr)
      ImPlot::SetupAxis(ImAxis_Y2 + static_cast<int>(i), options.right_axes[i],
                        ImPlotAxisFlags_AuxDefault | ImPlotAxisFlags_AutoFit);
  }
  if (options.log) ImPlot::SetupAxisScale(ImAxis_Y1, ImPlotScale_Log10);
  if (options.format != nullptr) ImPlot::SetupAxisFormat(ImAxis_Y1, options.format);
  // Along the top, where there is the width for it, it covers least of the curves.
  const bool is_wide = size.x > px(kLeastForWideLegend);
  if (options.legend)
    ImPlot::SetupLegend(is_wide ? ImPlotLocation_North : ImPlotLocation_NorthEast,
                        is_wide ? ImPlotLegendFlags_Horizontal : ImPlotLegendFlags_None);
  ImPlot::SetupMouseText(ImPlotLocation_SouthEast);
  ImPlot::SetupFinish();
  return true;
}

void end_step_plot(PlotFollow& follow) {
  const bool hovered = ImPlot::IsPlotHovered() || ImPlot::IsAxisHovered(ImAxis_X1) || ImPlot::IsAxisHovered(ImAxis_Y1);
  if (hovered) {
    const bool moved = ImGui::GetIO().MouseWheel != 0.0F || ImGui::IsMouseDragging(ImGuiMouseButton_Left, px(3)) ||
                       ImGui::IsMouseDragging(ImGuiMouseButton_Right, px(3));
    if (moved) follow.follows = false;
    if (ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left)) follow.follows = true;
  }
  ImPlot::EndPlot();
}

void decimate(const Series& series, std::size_t first, std::size_t last, std::size_t columns, Polyline& out) {
  out.x.clear();
  out.y.clear();
  out.not_finite.clear();
  last = std::min(last, series.size());
  if (first >= last) return;
  if (last - first <= 2 * columns) {
    for (std::size_t i = first; i < last; ++i) {
      const double x = static_cast<double>(i) + 1.0;
      const double y = static_cast<double>(series[i]);
      if (!std::isfinite(y)) {
        out.not_finite.push_back(x);
        continue;
      }
      out.x.push_back(x);
      out.y.push_back(y);
    }
    return;
  }
  const std::size_t length = last - first;
  const double step = static_cast<double>(length) / static_cast<double>(columns);
  for (std::size_t i = 0; i < columns; ++i) {
    const Extent extent = series.extent(first + length * i / columns, first + length * (i + 1) / columns);
    const double x = static_cast<double>(first) + 1.0 + (static_cast<double>(i) + 0.5) * step;
    if (extent.has_nan) out.not_finite.push_back(x);
    if (extent.low > extent.high) continue;  // not one sample of the column is finite
    out.x.push_back(x);
    out.y.push_back(static_cast<double>(extent.low));
    out.x.push_back(x);
    out.y.push_back(static_cast<double>(extent.high));
  }
}

void plot_series(const char* label, const Series& series, const CurveLook& look) {
  // One buffer serves all curves of all frames.
  static thread_local Polyline line;
  const ImPlotRect view = ImPlot::GetPlotLimits();
  const double size = static_cast<double>(series.size());
  const auto first = static_cast<std::size_t>(std::clamp(std::floor(view.X.Min) - 2.0, 0.0, size));
  const auto last = static_cast<std::size_t>(std::clamp(std::ceil(view.X.Max) + 1.0, 0.0, size));
  const auto columns = static_cast<std::size_t>(std::max(16.0F, ImPlot::GetPlotSize().x));
  decimate(series, first, last, columns, line);
  if (look.scale != 1.0)
    for (double& y : line.y) y *= look.scale;
  ImPlotSpec spec;
  spec.LineColor = look.tint;
  spec.LineWeight = px(look.weight);
  ImPlot::PlotLine(label, line.x.data(), line.y.data(), static_cast<int>(line.x.size()), spec);
  if (line.not_finite.empty()) return;
  ImPlotSpec mark;
  mark.LineColor = colors().not_a_number;
  ImPlot::PlotInfLines("not finite", line.not_finite.data(), static_cast<int>(line.not_finite.size()), mark);
}

}  // namespace lathe
