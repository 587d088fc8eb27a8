#include "views/optimiser_view.h"

#include "views/actions.h"
#include "views/data_files.h"
#include "views/reasons.h"
#include "views/widgets.h"

namespace lathe {
namespace {

void draw_curve(const char* title, const Series& series, PlotFollow& follow, ImVec2 size) {
  ImGui::BeginGroup();
  caption(title);
  const PlotOptions options{.format = "%.3g", .legend = false, .x_last = static_cast<double>(series.size())};
  if (begin_step_plot(format("##%s", title).c_str(), size, options, follow)) {
    plot_series(title, series, {colors().accent});
    end_step_plot(follow);
  }
  ImGui::EndGroup();
}

}  // namespace

void OptimiserView::draw(const Session& session, UiState& ui, Commands& commands) {
  const TrainCurves& train = session.train;
  if (train.loss.empty()) {
    if (empty_state("Learning rate, gradient norm and speed appear here while the model trains.",
                    session.model ? "Start healing" : nullptr,
                    session.model ? why_not_train({session, ui, commands}) : nullptr))
      run_action("train.start", {session, ui, commands});
    return;
  }
  export_button("optimiser export");
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const ImVec2 space = ImGui::GetContentRegionAvail();
  const float line = ImGui::GetTextLineHeightWithSpacing();
  const ImVec2 size = {(space.x - 2 * px(8)) / 3, space.y - 2 * line};
  draw_curve("learning rate", train.lr, rate_, size);
  ImGui::SameLine(0, px(8));
  draw_curve("gradient norm before clipping", train.grad_norm, norm_, size);
  ImGui::SameLine(0, px(8));
  draw_curve("tokens per second", train.tokens_per_second, speed_, size);
  caption("Measured at every step. Double click to follow the run.");
  export_menu("optimiser export", {low.x, low.y, space.x, space.y},
              {"optimiser", [&train] { return train_csv(train); }}, commands);
}

}  // namespace lathe
