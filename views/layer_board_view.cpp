#include "views/layer_board_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "views/actions.h"
#include "views/widgets.h"

namespace lathe {
namespace {

constexpr float kLowestRow = 4.0F;
constexpr float kHighestRow = 26.0F;

float shown_value(const CellFacts& facts, BoardBar bar) {
  return static_cast<float>(bar == BoardBar::Params ? facts.params : facts.kv_bytes);
}

/// Every label where there is room, else every fifth or tenth.
bool has_number(std::int64_t layer, float row_height) {
  const float text = ImGui::GetFontSize() * 0.8F;
  if (row_height >= text) return true;
  return layer % (row_height * 5 >= text ? 5 : 10) == 0;
}

void draw_number(std::int64_t layer, ImVec2 low, float width, float row_height) {
  if (!has_number(layer, row_height)) return;
  const ShortText number = format("%lld", static_cast<long long>(layer));
  const float size = ImGui::GetFontSize() * 0.8F;
  const ImVec2 text = mono_font()->CalcTextSizeA(size, 1e6F, 0, number.c_str());
  // The first number is higher than a low row and would be cut in half.
  const float y = std::max(ImGui::GetWindowPos().y - ImGui::GetScrollY(), low.y + (row_height - size) / 2);
  ImGui::GetWindowDrawList()->AddText(mono_font(), size, {low.x + width - text.x - px(6), y}, color(colors().faint),
                                      number.c_str());
}

}  // namespace

void LayerBoardView::draw(const Session& session, UiState& ui, Commands& commands) {
  if (!session.model) {
    if (is_pending(session, ui.open_job)) {
      empty_state("The model is being opened; its layers appear here.");
    } else if (empty_state("Open a model and its layers appear here, a row each.", "Open the tiny model")) {
      open_model({session, ui, commands}, "tiny");
    }
    return;
  }
  const float layers = static_cast<float>(std::max<std::int64_t>(1, session.model->config.num_layers()));
  const ImVec2 space = ImGui::GetContentRegionAvail();
  const float rows = space.y - ImGui::GetFrameHeight() - ImGui::GetTextLineHeight() - px(20);
  Geometry geometry{.number_width = px(32), .cell_width = 0, .row_height = 0, .gap = px(4)};
  geometry.row_height = std::clamp(rows / layers, px(kLowestRow), px(kHighestRow));
  if (geometry.row_height > px(12)) geometry.row_height = std::floor(geometry.row_height);
  geometry.cell_width = std::max(px(20), (space.x - geometry.number_width - geometry.gap) / 2);
  draw_header(geometry, ui);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {0, 0});
  const bool fits = geometry.row_height * layers <= rows + 1;
  const ImGuiWindowFlags flags = ImGuiWindowFlags_NoNavInputs | (fits ? ImGuiWindowFlags_NoScrollbar : 0);
  if (ImGui::BeginChild("rows", {0, 0}, ImGuiChildFlags_None, flags)) {
    draw_rows(session, ui, geometry);
    menu(session, ui, commands);
  }
  ImGui::EndChild();
  ImGui::PopStyleVar();
  if (ImGui::IsWindowFocused(ImGuiFocusedFlags_ChildWindows) && own_arrow_keys()) move_by_keys(session, ui);
}

void LayerBoardView::draw_header(const Geometry& geometry, UiState& ui) const {
  int bar = static_cast<int>(ui.settings.board_bar);
  if (segmented("bar", {"Parameters", "Cache"}, bar)) ui.settings.board_bar = static_cast<BoardBar>(bar);
  ImGui::SameLine();
  ImGui::PushStyleColor(ImGuiCol_Text, colors().faint);
  text_right("?");
  ImGui::PopStyleColor();
  explain(
      "The bar of a cell is its share of the parameters or of the bytes cached per token, exact. Click selects, Shift "
      "extends, Ctrl adds, dragging plans every cell that it crosses, M and E turn the selection into MLA and MoE. "
      "Striped: planned. Filled: converted. The "
      "stripe at the right end is the measured relative error, dark for small.");
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  const float x = ImGui::GetCursorPosX();
  ImGui::SetCursorPosX(x + geometry.number_width);
  ImGui::TextUnformatted("Attention");
  ImGui::SameLine(x + geometry.number_width + geometry.cell_width + geometry.gap);
  fitting_text({"Feed-forward", "MLP"});
  ImGui::PopStyleColor();
}

void LayerBoardView::draw_rows(const Session& session, UiState& ui, const Geometry& geometry) {
  if (!ImGui::IsMouseDown(ImGuiMouseButton_Left)) pressed_.reset();
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {geometry.gap, 0});
  float largest = 1.0F;
  ImGuiListClipper clipper;
  clipper.Begin(static_cast<int>(session.model->config.num_layers()), geometry.row_height);
  while (clipper.Step()) {
    for (int row = clipper.DisplayStart; row < clipper.DisplayEnd; ++row) {
      const ImVec2 low = ImGui::GetCursorScreenPos();
      draw_number(row, low, geometry.number_width, geometry.row_height);
      float x = low.x + geometry.number_width;
      for (const LayerPart part : {LayerPart::Attention, LayerPart::FeedForward}) {
        const CellFacts facts = facts_of(session, ui, {row, part});
        largest = std::max(largest, shown_value(facts, ui.settings.board_bar));
        draw_one(facts, {x, low.y}, {geometry.cell_width, geometry.row_height}, session, ui);
        x += geometry.cell_width + geometry.gap;
      }
      ImGui::SetCursorScreenPos({low.x, low.y + geometry.row_height});
      ImGui::Dummy({0, 0});
    }
  }
  ImGui::PopStyleVar();
  largest_ = largest;
}

void LayerBoardView::draw_one(const CellFacts& facts, ImVec2 low, ImVec2 size, const Session& session, UiState& ui) {
  ImGui::SetCursorScreenPos(low);
  const char* part = facts.cell.part == LayerPart::Attention ? "attention" : "feed-forward";
  ImGui::InvisibleButton(format("%s %lld", part, static_cast<long long>(facts.cell.layer)).c_str(), size);
  if (ImGui::IsItemActivated()) press(facts.cell, ui);
  const ImVec2 high = {low.x + size.x, low.y + size.y};
  const bool mouse_in_row = ImGui::GetMousePos().y >= low.y && ImGui::GetMousePos().y < high.y;
  if (pressed_ && pressed_->part == facts.cell.part && mouse_in_row) paint(facts.cell, session, ui);
  const float gap = size.y > px(8) ? px(2) : size.y > px(5) ? 1.0F : 0.5F;
  draw_cell(facts, low, {high.x, high.y - gap}, shown_value(facts, ui.settings.board_bar) / largest_);
  if (ImGui::IsItemHovered(ImGuiHoveredFlags_ForTooltip) && !painted_) cell_tooltip(facts);
}

void LayerBoardView::press(Cell cell, UiState& ui) {
  pressed_ = cell;
  painted_.reset();
  const ImGuiIO& io = ImGui::GetIO();
  if (io.KeyShift) {
    ui.selection.extend(cell);
  } else if (io.KeyCtrl) {
    ui.selection.toggle(cell);
  } else {
    ui.selection.only(cell);
  }
}

void LayerBoardView::paint(Cell cell, const Session& session, UiState& ui) {
  const bool first = !painted_;
  if (first && cell == *pressed_) return;  // a click is not a drag
  if (painted_ == cell) return;
  if (first) {
    ++gesture_;
    paint_converts_ = !is_planned(ui.plan.plan(), *pressed_);
  }
  const Cell from = first ? *pressed_ : *painted_;
  painted_ = cell;
  ConversionPlan plan = ui.plan.plan();
  const auto [low, high] = std::minmax(from.layer, cell.layer);
  for (std::int64_t layer = low; layer <= high; ++layer) {
    plan = with_cell(std::move(plan), session.model->config, {layer, cell.part}, paint_converts_);
    ui.selection.cells.insert({layer, cell.part});
  }
  ui.plan.edit(cell.part == LayerPart::Attention ? "Paint attention" : "Paint feed-forward", std::move(plan), gesture_);
}

void LayerBoardView::move_by_keys(const Session& session, UiState& ui) const {
  if (!ui.selection.cursor) {
    const bool any =
        std::ranges::any_of(std::array{ImGuiKey_UpArrow, ImGuiKey_DownArrow, ImGuiKey_LeftArrow, ImGuiKey_RightArrow},
                            [](ImGuiKey key) { return ImGui::IsKeyPressed(key); });
    if (any) ui.selection.only({0, LayerPart::Attention});
    return;
  }
  Cell cell = *ui.selection.cursor;
  const std::int64_t last = session.model->config.num_layers() - 1;
  if (ImGui::IsKeyPressed(ImGuiKey_UpArrow)) cell.layer = std::max<std::int64_t>(0, cell.layer - 1);
  if (ImGui::IsKeyPressed(ImGuiKey_DownArrow)) cell.layer = std::min(last, cell.layer + 1);
  if (ImGui::IsKeyPressed(ImGuiKey_Home)) cell.layer = 0;
  if (ImGui::IsKeyPressed(ImGuiKey_End)) cell.layer = last;
  if (ImGui::IsKeyPressed(ImGuiKey_LeftArrow)) cell.part = LayerPart::Attention;
  if (ImGui::IsKeyPressed(ImGuiKey_RightArrow)) cell.part = LayerPart::FeedForward;
  if (cell == *ui.selection.cursor) return;
  if (ImGui::GetIO().KeyShift) {
    ui.selection.extend(cell);
  } else {
    ui.selection.only(cell);
  }
}

void LayerBoardView::menu(const Session& session, UiState& ui, Commands& commands) const {
  if (!ImGui::BeginPopupContextWindow("board menu")) return;
  for (const char* id : {"board.mla", "board.moe", "board.select-all", "board.select-none", "plan.suggest"}) {
    const Action* action = find_action(id);
    ActionContext context{session, ui, commands};
    if (ImGui::MenuItem(action->title, key_text(action->key).c_str(), false, action->enabled(context)))
      run(*action, context);
  }
  if (ImGui::MenuItem("Select every other layer")) {
    ui.selection.clear();
    for (std::int64_t layer = 0; layer < session.model->config.num_layers(); layer += 2)
      ui.selection.cells.insert({layer, LayerPart::Attention});
  }
  ImGui::EndPopup();
}

}  // namespace lathe
