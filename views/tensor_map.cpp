#include "views/tensor_map.h"

#include <algorithm>
#include <cmath>

#include "views/widgets.h"

namespace lathe {
namespace {

constexpr double kRest = 0.08;       // seconds that the map lies still before its values are asked for anew
constexpr double kClosest = 4.0;     // values a side
constexpr double kFullColor = 0.99;  // of the cells lie within the colours' range

float farthest(float low, float high) { return std::abs(low) > std::abs(high) ? low : high; }

float cell_value(const TensorPicture& picture, std::size_t cell, bool extremes) {
  return extremes ? farthest(picture.low[cell], picture.high[cell]) : picture.mean[cell];
}

/// The magnitude that all but the largest hundredth of the cells stay below.
float limit_of(const TensorPicture& picture, bool extremes) {
  std::vector<float> sizes;
  for (std::size_t cell = 0; cell < picture.mean.size(); ++cell) {
    const float value = std::abs(cell_value(picture, cell, extremes));
    if (std::isfinite(value)) sizes.push_back(value);
  }
  if (sizes.empty()) return 1.0F;
  const auto at = sizes.begin() + static_cast<std::ptrdiff_t>(static_cast<double>(sizes.size() - 1) * kFullColor);
  std::ranges::nth_element(sizes, at);
  return *at > 0 ? *at : std::max(1e-30F, *std::ranges::max_element(sizes));
}

/// A row of a tensor of more than two dimensions by all of its indices: "[3][12]".
std::string row_text(const TensorPicture& picture, std::int64_t row) {
  std::string text;
  for (std::size_t i = picture.shape.size() - 1; i-- > 0;) {
    text = "[" + std::to_string(row % picture.shape[i]) + "]" + text;
    row /= picture.shape[i];
  }
  return text;
}

/// The rows or columns that one cell covers.
struct Span {
  std::int64_t cell = -1;  ///< -1: none is there
  std::int64_t first = 0, count = 0;
};

/// The cell that `at` lies in, of `cells` that share [first, first + length).
Span cell_at(double at, std::int64_t first, std::int64_t length, std::int64_t cells) {
  const std::int64_t index = static_cast<std::int64_t>(std::floor(at)) - first;
  if (index < 0 || index >= length) return {};
  const std::int64_t each = (length + cells - 1) / cells;
  const std::int64_t cell = index / each;
  return {cell, first + cell * each, std::min(each, length - cell * each)};
}

void keep_inside(double& first, double& length, double whole) {
  length = std::clamp(length, std::min(kClosest, whole), whole);
  first = std::clamp(first, 0.0, whole - length);
}

MatrixWindow inside(MatrixWindow window, const TensorPicture& of) {
  keep_inside(window.first_row, window.rows, static_cast<double>(of.rows));
  keep_inside(window.first_column, window.columns, static_cast<double>(of.columns));
  return window;
}

}  // namespace

std::string range_text(std::int64_t first, std::int64_t count) {
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  return count == 1 ? number(first) : number(first) + "\u2026" + number(first + count - 1);
}

TensorRegion MatrixWindow::region(const TensorPicture& of) const {
  const auto whole = [](double first, double length, std::int64_t all) {
    const auto low = static_cast<std::int64_t>(std::floor(first));
    const auto high = std::min(all, static_cast<std::int64_t>(std::ceil(first + length)));
    return std::pair(low, high - low);
  };
  const auto [top, tall] = whole(first_row, rows, of.rows);
  const auto [left, wide] = whole(first_column, columns, of.columns);
  return {top, tall, left, wide};
}

MatrixWindow zoomed(MatrixWindow window, double factor, double u, double v, const TensorPicture& of) {
  const MatrixWindow before = window;
  window.rows = std::clamp(before.rows * factor, std::min<double>(kClosest, static_cast<double>(of.rows)),
                           static_cast<double>(of.rows));
  window.columns = std::clamp(before.columns * factor, std::min<double>(kClosest, static_cast<double>(of.columns)),
                              static_cast<double>(of.columns));
  window.first_row += v * (before.rows - window.rows);
  window.first_column += u * (before.columns - window.columns);
  return inside(window, of);
}

MatrixWindow moved(MatrixWindow window, double right, double down, const TensorPicture& of) {
  window.first_column -= right * window.columns;
  window.first_row -= down * window.rows;
  return inside(window, of);
}

TensorRegion TensorMap::wanted(const TensorPicture* picture) {
  if (picture == nullptr || window_.rows <= 0) return wanted_ = {};
  const bool rests = ImGui::GetTime() - moved_at_ > kRest && !ImGui::IsMouseDown(ImGuiMouseButton_Left);
  if (rests) wanted_ = window_.region(*picture);
  const bool whole = wanted_.rows == picture->rows && wanted_.columns == picture->columns;
  return whole ? TensorRegion{} : wanted_;
}

void TensorMap::paint(const TensorPicture& picture, bool extremes) {
  if (painted_ == &picture && painted_version_ == picture.version && painted_extremes_ == extremes) return;
  painted_ = &picture;
  painted_version_ = picture.version;
  painted_extremes_ = extremes;
  limit_ = limit_of(picture, extremes);
  const int wide = static_cast<int>(picture.wide);
  const int tall = static_cast<int>(picture.tall);
  if (wide == 0 || tall == 0) return;
  ImU32* pixels = texture_.pixels(wide, tall);
  const int pitch = texture_.pitch();
  const ImU32 bad = color(colors().not_a_number);
  for (int row = 0; row < tall; ++row) {
    for (int column = 0; column < wide; ++column) {
      const float value = cell_value(picture, static_cast<std::size_t>(row * wide + column), extremes);
      pixels[row * pitch + column] = std::isfinite(value) ? sample(red_blue(), 0.5F + 0.5F * value / limit_) : bad;
    }
  }
  texture_.commit();
}

void TensorMap::draw(const TensorPicture& picture, bool extremes, ImVec2 size) {
  if (picture.wide == 0) {
    empty_state("This tensor has no values.");
    return;
  }
  paint(picture, extremes);
  if (window_.rows <= 0) window_ = {0, static_cast<double>(picture.rows), 0, static_cast<double>(picture.columns)};
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const ImVec2 high = {low.x + size.x, low.y + size.y};
  ImDrawList* list = ImGui::GetWindowDrawList();
  // The last picture at its place in the window: what moved in from outside is empty until its values come.
  const auto x_of = [&](double column) {
    return low.x + static_cast<float>((column - window_.first_column) / window_.columns) * size.x;
  };
  const auto y_of = [&](double row) {
    return low.y + static_cast<float>((row - window_.first_row) / window_.rows) * size.y;
  };
  const TensorRegion& part = picture.region;
  // A last cell that covers fewer values than the others is drawn as wide as they are, and cut.
  const double row_cells = std::ceil(static_cast<double>(part.rows) / static_cast<double>(picture.tall));
  const double column_cells = std::ceil(static_cast<double>(part.columns) / static_cast<double>(picture.wide));
  const auto first_row = static_cast<double>(part.first_row);
  const auto first_column = static_cast<double>(part.first_column);
  list->AddRectFilled(low, high, color(colors().field));
  list->PushClipRect(low, high, true);
  texture_.draw(list, {x_of(first_column), y_of(first_row)},
                {x_of(first_column + column_cells * static_cast<double>(picture.wide)),
                 y_of(first_row + row_cells * static_cast<double>(picture.tall))});
  list->PopClipRect();
  list->AddRect(low, high, color(colors().border));
  ImGui::InvisibleButton("map", size);
  ImGui::SetItemKeyOwner(ImGuiKey_MouseWheelY);
  move(picture, low, size);
  if (ImGui::IsItemHovered() && !ImGui::IsItemActive()) draw_hover(picture, low, size);
}

void TensorMap::move(const TensorPicture& picture, ImVec2 low, ImVec2 size) {
  const ImGuiIO& io = ImGui::GetIO();
  const double u = static_cast<double>((io.MousePos.x - low.x) / size.x);
  const double v = static_cast<double>((io.MousePos.y - low.y) / size.y);
  MatrixWindow next = window_;
  if (ImGui::IsItemHovered() && io.MouseWheel != 0)
    next = zoomed(window_, std::pow(0.8, static_cast<double>(io.MouseWheel)), u, v, picture);
  if (ImGui::IsItemActive() && ImGui::IsMouseDragging(ImGuiMouseButton_Left, 1.0F))
    next = moved(window_, static_cast<double>(io.MouseDelta.x / size.x), static_cast<double>(io.MouseDelta.y / size.y),
                 picture);
  if (ImGui::IsItemHovered() && ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left))
    next = {0, static_cast<double>(picture.rows), 0, static_cast<double>(picture.columns)};
  if (!(next == window_)) moved_at_ = ImGui::GetTime();
  window_ = next;
}

void TensorMap::draw_hover(const TensorPicture& picture, ImVec2 low, ImVec2 size) {
  const ImVec2 mouse = ImGui::GetMousePos();
  const double v = static_cast<double>((mouse.y - low.y) / size.y);
  const double u = static_cast<double>((mouse.x - low.x) / size.x);
  const TensorRegion& part = picture.region;
  const Span rows = cell_at(window_.first_row + v * window_.rows, part.first_row, part.rows, picture.tall);
  const Span columns =
      cell_at(window_.first_column + u * window_.columns, part.first_column, part.columns, picture.wide);
  if (rows.cell < 0 || columns.cell < 0 || !ImGui::BeginTooltip()) return;
  const auto cell = static_cast<std::size_t>(rows.cell * picture.wide + columns.cell);
  ImGui::PushFont(mono_font(), 0);
  ImGui::Text("row    %s", range_text(rows.first, rows.count).c_str());
  if (picture.shape.size() > 2) ImGui::Text("       %s", row_text(picture, rows.first).c_str());
  ImGui::Text("column %s", range_text(columns.first, columns.count).c_str());
  const auto number = [](float value) { return format_value(static_cast<double>(value)); };
  if (std::isnan(picture.mean[cell])) {
    ImGui::TextUnformatted("holds values that are not finite");
  } else if (rows.count * columns.count == 1) {
    ImGui::Text("value  %.9g", static_cast<double>(picture.mean[cell]));
  } else {
    ImGui::Text("min %s  mean %s  max %s", number(picture.low[cell]).c_str(), number(picture.mean[cell]).c_str(),
                number(picture.high[cell]).c_str());
  }
  ImGui::PopFont();
  ImGui::EndTooltip();
}

}  // namespace lathe
