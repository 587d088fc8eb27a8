#include "views/tensor_table.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <ranges>
#include <sstream>

#include "views/widgets.h"

namespace lathe {
namespace {

enum Column { kName, kShape, kDtype, kBytes, kState, kFile };

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::int64_t values_in(const TensorInfo& tensor) {
  return std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1}, std::multiplies<>());
}

bool before(const TensorInfo& a, const TensorInfo& b, int column) {
  switch (column) {
    case kName:
      return a.name < b.name;
    case kShape:
      return values_in(a) < values_in(b);
    case kDtype:
      return a.dtype < b.dtype;
    case kBytes:
      return a.bytes < b.bytes;
    case kState:
      return a.state > b.state;
    default:
      return a.file < b.file;
  }
}

const ImVec4& tint_of(TensorState state) {
  if (state == TensorState::Matched) return colors().text;
  return state == TensorState::Unexpected ? colors().warning : colors().error;
}

/// The name with its middle left out where the column is too narrow, then whole in a tooltip. All names are in the mono
/// font.
void name_cell(const std::string& name) {
  const float width = ImGui::GetContentRegionAvail().x;
  const float letter = ImGui::CalcTextSize("0").x;
  const auto fits = static_cast<std::size_t>(std::max(4.0F, width / letter));
  if (name.size() <= fits) {
    ImGui::TextUnformatted(name.c_str());
    return;
  }
  ImGui::TextUnformatted(middle_cut(name, fits).c_str());
  explain(name.c_str());
}

}  // namespace

bool matches(const TensorInfo& tensor, const std::string& search) {
  const std::string text = lower(tensor.name + " " + tensor.dtype + " " + tensor.file + " " + name_of(tensor.state));
  std::istringstream words(lower(search));
  for (std::string word; words >> word;) {
    if (text.find(word) == std::string::npos) return false;
  }
  return true;
}

std::string middle_cut(const std::string& text, std::size_t characters) {
  if (text.size() <= characters) return text;
  const std::size_t left = characters < 3 ? 0 : (characters - 1) / 2;
  const std::size_t right = characters - 1 - left;
  return text.substr(0, left) + "\u2026" + text.substr(text.size() - right);
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : " \u00d7 ") + std::to_string(size);
  return text.empty() ? "1 value" : text;
}

bool TensorTable::draw(const TensorList& tensors, bool with_files, std::string& chosen, float height) {
  ImGui::SetNextItemWidth(-1);
  text_input("##search", search_, "Search: words of the name, the type, the file");
  filter(tensors);
  bool changed = false;
  move_by_keys(chosen, changed);
  ImGui::PushFont(mono_font(), ImGui::GetStyle().FontSizeBase * 0.9F);
  const ImGuiTableFlags flags = ImGuiTableFlags_ScrollY | ImGuiTableFlags_RowBg | ImGuiTableFlags_Resizable |
                                ImGuiTableFlags_Sortable | ImGuiTableFlags_SortTristate;
  if (ImGui::BeginTable("tensors", with_files ? 6 : 4, flags, {0, height})) {
    draw_header(with_files);
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(rows_.size()));
    while (clipper.Step()) {
      for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i)
        draw_row((*filtered_)[rows_[static_cast<std::size_t>(i)]], with_files, chosen, changed);
    }
    ImGui::EndTable();
  }
  ImGui::PopFont();
  return changed;
}

void TensorTable::draw_header(bool with_files) {
  ImGui::TableSetupScrollFreeze(0, 1);
  ImGui::TableSetupColumn("Name", ImGuiTableColumnFlags_WidthStretch, 3.0F);
  ImGui::TableSetupColumn("Shape", ImGuiTableColumnFlags_WidthFixed | ImGuiTableColumnFlags_PreferSortDescending,
                          px(96));
  ImGui::TableSetupColumn("Type", ImGuiTableColumnFlags_WidthFixed, px(44));
  ImGui::TableSetupColumn("Bytes", ImGuiTableColumnFlags_WidthFixed | ImGuiTableColumnFlags_PreferSortDescending,
                          px(66));
  if (with_files) {
    ImGui::TableSetupColumn("State", ImGuiTableColumnFlags_WidthFixed, px(78));
    ImGui::TableSetupColumn("File", ImGuiTableColumnFlags_WidthStretch, 1.4F);
  }
  ImGui::TableHeadersRow();
  ImGuiTableSortSpecs* sorted = ImGui::TableGetSortSpecs();
  if (sorted == nullptr || !sorted->SpecsDirty) return;
  column_ = sorted->SpecsCount == 0 ? -1 : sorted->Specs[0].ColumnIndex;
  descending_ = sorted->SpecsCount != 0 && sorted->Specs[0].SortDirection == ImGuiSortDirection_Descending;
  sorted->SpecsDirty = false;
  sort();
}

void TensorTable::draw_row(const TensorInfo& tensor, bool with_files, std::string& chosen, bool& changed) {
  ImGui::PushID(tensor.name.c_str());
  ImGui::PushStyleColor(ImGuiCol_Text, tint_of(tensor.state));
  ImGui::TableNextRow();
  ImGui::TableNextColumn();
  const bool is_chosen = tensor.name == chosen;
  if (ImGui::Selectable(("##" + tensor.name).c_str(), is_chosen,
                        ImGuiSelectableFlags_SpanAllColumns | ImGuiSelectableFlags_AllowOverlap)) {
    chosen = tensor.name;
    changed = true;
  }
  if (is_chosen && std::exchange(scroll_to_chosen_, false)) ImGui::SetScrollHereY();
  ImGui::SameLine(0, 0);
  name_cell(tensor.name);
  ImGui::TableNextColumn();
  clipped_text(shape_text(tensor.shape).c_str());
  if (tensor.state == TensorState::WrongShape)
    explain(("The config describes " + shape_text(tensor.expected_shape)).c_str());
  ImGui::TableNextColumn();
  ImGui::TextUnformatted(tensor.dtype.c_str());
  ImGui::TableNextColumn();
  if (tensor.state != TensorState::Missing) text_right(format_bytes(tensor.bytes).c_str());
  if (with_files) {
    ImGui::TableNextColumn();
    ImGui::TextUnformatted(name_of(tensor.state));
    ImGui::TableNextColumn();
    name_cell(tensor.file);
  }
  ImGui::PopStyleColor();
  ImGui::PopID();
}

void TensorTable::move_by_keys(std::string& chosen, bool& changed) {
  if (rows_.empty() || !ImGui::IsWindowFocused(ImGuiFocusedFlags_ChildWindows) || !own_arrow_keys()) return;
  const int step = (ImGui::IsKeyPressed(ImGuiKey_DownArrow) ? 1 : 0) - (ImGui::IsKeyPressed(ImGuiKey_UpArrow) ? 1 : 0);
  if (step == 0) return;
  const auto is_chosen = [&](std::uint32_t row) { return (*filtered_)[row].name == chosen; };
  const auto at = std::ranges::find_if(rows_, is_chosen) - rows_.begin();
  const auto last = std::ssize(rows_) - 1;
  const auto next = at > last ? 0 : std::clamp<std::ptrdiff_t>(at + step, 0, last);
  chosen = (*filtered_)[rows_[static_cast<std::size_t>(next)]].name;
  changed = scroll_to_chosen_ = true;
}

void TensorTable::filter(const TensorList& tensors) {
  if (filtered_ == tensors && filtered_search_ == search_) return;
  filtered_ = tensors;
  filtered_search_ = search_;
  sort();
}

void TensorTable::sort() {
  rows_.clear();
  if (!filtered_) return;
  for (std::uint32_t i = 0; i < filtered_->size(); ++i)
    if (matches((*filtered_)[i], search_)) rows_.push_back(i);
  if (column_ < 0) return;
  std::ranges::stable_sort(rows_, [this](std::uint32_t a, std::uint32_t b) {
    if (descending_) std::swap(a, b);
    return before((*filtered_)[a], (*filtered_)[b], column_);
  });
}

}  // namespace lathe
