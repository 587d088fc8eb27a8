#include "views/tensor_view.h"

#include <algorithm>
#include <cmath>

#include "views/actions.h"
#include "views/data_files.h"
#include "views/widgets.h"

namespace lathe {
namespace {

constexpr std::int64_t kCells = 384;  // a side of the map

TensorList list_of(const ModelInfo& model, const UiState& ui) {
  return ui.tensor.original ? model.original_tensors : model.tensors;
}

void draw_figures(const TensorPicture& picture) {
  const TensorFigures& figures = picture.figures;
  caption((shape_text(picture.shape) + ", " + picture.dtype + ", " +
           format_count(picture.rows * picture.columns).c_str() + " values")
              .c_str());
  if (!ImGui::BeginTable("figures", ImGui::GetContentRegionAvail().x > px(420) ? 3 : 2)) return;
  const auto figure = [](const char* name, const char* value, const char* how, bool bad = false) {
    ImGui::TableNextColumn();
    tinted_row(name, value, bad ? colors().error : colors().text, how);
  };
  figure("min", format_value(figures.min).c_str(), "Smallest finite value");
  figure("mean", format_value(figures.mean).c_str(), "Of the finite values, summed in double precision");
  figure("NaN", std::to_string(figures.nan).c_str(), "Values that are no number", figures.nan > 0);
  figure("max", format_value(figures.max).c_str(), "Largest finite value");
  figure("std", format_value(figures.stddev).c_str(), "Standard deviation of the finite values, divided by their number");
  figure("Inf", std::to_string(figures.inf).c_str(), "Infinite values", figures.inf > 0);
  ImGui::EndTable();
}

void draw_histogram(const TensorFigures& figures, float height) {
  if (figures.histogram.empty()) return;
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetContentRegionAvail().x;
  const auto bins = static_cast<float>(figures.histogram.size());
  const auto most = static_cast<double>(std::max<std::int64_t>(1, *std::ranges::max_element(figures.histogram)));
  ImDrawList* list = ImGui::GetWindowDrawList();
  list->AddRectFilled(low, {low.x + width, low.y + height}, color(colors().field), px(3));
  for (std::size_t bin = 0; bin < figures.histogram.size(); ++bin) {
    const auto count = static_cast<double>(figures.histogram[bin]);
    if (count <= 0) continue;
    const auto tall = static_cast<float>(std::log1p(count) / std::log1p(most)) * (height - px(4));
    const float x = low.x + width * static_cast<float>(bin) / bins;
    list->AddRectFilled({x, low.y + height - tall}, {x + width / bins - 1, low.y + height}, color(colors().accent));
  }
  ImGui::InvisibleButton("histogram", {width, height});
  if (!ImGui::IsItemHovered()) return;
  const float share = std::clamp((ImGui::GetMousePos().x - low.x) / width, 0.0F, 0.999F);
  const auto bin = static_cast<std::size_t>(share * bins);
  const double step = (figures.max - figures.min) / static_cast<double>(bins);
  ImGui::SetTooltip("%s to %s: %lld values; bars are logarithmic",
                    format_value(figures.min + static_cast<double>(bin) * step).c_str(),
                    format_value(figures.min + static_cast<double>(bin + 1) * step).c_str(),
                    static_cast<long long>(figures.histogram[bin]));
}

}  // namespace

void TensorView::draw(const Session& session, UiState& ui, Commands& commands) {
  if (!session.model || !session.model->tensors) {
    if (empty_state("Open a model: every tensor of it appears here, with its values.", "Open the tiny model"))
      open_model({session, ui, commands}, "tiny");
    return;
  }
  const ModelInfo& model = *session.model;
  if (!model.differs_from_original) ui.tensor.original = false;
  const ImVec2 space = ImGui::GetContentRegionAvail();
  const bool wide = space.x > px(840);
  const ImVec2 list = wide ? ImVec2(space.x * 0.46F, 0) : ImVec2(0, std::max(px(110), space.y * 0.34F));
  if (ImGui::BeginChild("list", list)) draw_list(model, ui);
  ImGui::EndChild();
  if (wide) ImGui::SameLine(0, px(12));
  if (ImGui::BeginChild("chosen", {0, 0})) draw_chosen(session, ui, commands);
  ImGui::EndChild();
}

void TensorView::draw_list(const ModelInfo& model, UiState& ui) {
  if (model.differs_from_original) {
    int which = ui.tensor.original ? 1 : 0;
    if (segmented("which", {"As it is now", "Original"}, which)) ui.tensor.original = which == 1;
  }
  table_.draw(list_of(model, ui), /*with_files=*/false, ui.tensor.name);
}

void TensorView::watch(const TensorPicture* picture, const UiState& ui, Commands& commands) {
  if (looked_at_ != ui.tensor.name) map_.reset();
  looked_at_ = ui.tensor.name;
  commands.watch({.kind = PictureKind::Tensor,
                  .max_side = kCells,
                  .prompt = {},
                  .tensor = ui.tensor.name,
                  .original = ui.tensor.original,
                  .region = map_.wanted(picture)});
}

void TensorView::draw_chosen(const Session& session, UiState& ui, Commands& commands) {
  if (ui.tensor.name.empty()) {
    empty_state("Choose a tensor in the list: its values appear here.");
    return;
  }
  const TensorPicture* picture = session.tensor.get();
  if (picture != nullptr && (picture->name != ui.tensor.name || picture->original != ui.tensor.original))
    picture = nullptr;
  watch(picture, ui, commands);
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const ImVec2 space = ImGui::GetContentRegionAvail();
  ImGui::PushFont(mono_font(), 0);
  const float letters = (space.x - px(80)) / ImGui::CalcTextSize("0").x;
  ImGui::TextUnformatted(middle_cut(ui.tensor.name, static_cast<std::size_t>(std::max(8.0F, letters))).c_str());
  explain(ui.tensor.name.c_str());
  ImGui::PopFont();
  ImGui::SameLine();
  export_button("tensor export");
  if (picture == nullptr) {
    const auto& tensors = *list_of(*session.model, ui);
    const bool exists = std::ranges::find(tensors, ui.tensor.name, &TensorInfo::name) != tensors.end();
    empty_state(exists ? "Its values are being read\u2026" : "There is no tensor of this name: choose one in the list.");
    return;
  }
  draw_picture(*picture, ui);
  export_menu("tensor export", {low.x, low.y, space.x, space.y},
              {"tensor", [picture] { return tensor_csv(*picture); }, [picture] { return tensor_json(*picture); }},
              commands);
}

void TensorView::draw_picture(const TensorPicture& picture, UiState& ui) {
  draw_figures(picture);
  draw_histogram(picture.figures, px(64));
  int shown = ui.tensor.extremes ? 1 : 0;
  if (segmented("cells", {"Mean", "Farthest from 0"}, shown)) ui.tensor.extremes = shown == 1;
  explain("What a cell shows that covers more than one value");
  ImGui::SameLine();
  if (quiet_button("Whole", "Show all of it; so does a double click on the map")) map_.reset();
  const TensorRegion& part = picture.region;
  const std::string source =
      text("Rows ", range_text(part.first_row, part.rows), ", columns ", range_text(part.first_column, part.columns),
           " in ", picture.tall, " \u00d7 ", picture.wide, " cells; full colour at \u00b1",
           format_value(static_cast<double>(map_.limit())).c_str(), ", 99 % of the cells are within; measured");
  const ImVec2 left = ImGui::GetContentRegionAvail();
  map_.draw(picture, ui.tensor.extremes, {left.x, std::max(px(60), left.y - caption_height(source.c_str()) - px(4))});
  caption(source.c_str());
}

}  // namespace lathe
