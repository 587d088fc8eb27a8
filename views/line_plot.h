#pragma once

#include <imgui.h>

#include <array>
#include <string>
#include <vector>

#include "model/data/command.h"
#include "model/data/series.h"

namespace lathe {

/// The exponential moving average of a series, unbiased at its start as TensorBoard's: grows with the series.
class Smoothed {
 public:
  /// Starts anew if the curves are those of another run now, however long.
  void follow_run(JobId run);
  /// `weight` of the past in [0, 1). A shorter series or another weight starts anew.
  const Series& follow(const Series& series, float weight);

 private:
  Series smooth_;
  float weight_ = 0.0F;
  double average_ = 0.0, bias_ = 1.0;
  JobId run_ = 0;
};

/// How a plot follows growing data: the whole run until the user zooms or pans, again after a double click.
struct PlotFollow {
  bool follows = true;
};

/// A plot lower than this has no room for a legend over its curves.
inline constexpr float kLeastForLegend = 110.0F;

struct PlotOptions {
  const char* y_label = nullptr;
  const char* format = nullptr;  ///< of the ticks of y; null: ImPlot's
  bool log = false;
  bool legend = true;
  std::array<const char*, 2> right_axes{};  ///< labels of y axes at the right, ImAxis_Y2 and Y3; null: none
  double x_last = 1.0;                      ///< of the data: steps
};

/// Begins a plot over training steps 1…`x_last` in the size; ends with end_step_plot().
bool begin_step_plot(const char* id, ImVec2 size, const PlotOptions& options, const PlotFollow& follow);
void end_step_plot(PlotFollow& follow);

struct CurveLook {
  ImVec4 tint;
  float weight = 1.5F;
  double scale = 1.0;  ///< what each sample is multiplied with
};

/// Draws what is visible of the curve with at most two points a pixel column; no extreme is lost, and what is not
/// finite becomes a line in the colour of NaN. Sample i is at x = i + 1.
void plot_series(const char* label, const Series& series, const CurveLook& look);

/// Two numbers for each column of [first, last): x and y of the lowest, x and y of the highest.
struct Polyline {
  std::vector<double> x, y;
  std::vector<double> not_finite;
};
void decimate(const Series& series, std::size_t first, std::size_t last, std::size_t columns, Polyline& out);

}  // namespace lathe
