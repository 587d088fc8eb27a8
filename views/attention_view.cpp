#include "views/attention_view.h"

#include <algorithm>
#include <cmath>

#include "views/actions.h"
#include "views/color_map.h"
#include "views/data_files.h"
#include "views/layer_cell.h"
#include "views/reasons.h"
#include "views/token_text.h"
#include "views/widgets.h"

namespace lathe {
namespace {

/// "␣turner" or "tokens 128 to 131: ␣a turner of wood".
std::string cell_text(const AttentionMap& map, std::int64_t cell) {
  const std::int64_t first = cell * map.pool;
  const std::int64_t last = std::min(first + map.pool, map.num_tokens) - 1;
  std::string name =
      format(map.pool == 1 ? "%lld" : "%lld\u2026%lld", static_cast<long long>(first), static_cast<long long>(last))
          .c_str();
  name += "  ";
  for (std::int64_t i = first; i <= last && i < static_cast<std::int64_t>(map.tokens.size()); ++i)
    name += visible_token(map.tokens[static_cast<std::size_t>(i)].text);
  return name;
}

float weight_at(const AttentionMap& map, std::int64_t query, std::int64_t key) {
  return map.weights[static_cast<std::size_t>(query * map.side + key)];
}

void draw_color_bar(AttentionScale scale) {
  const char* low[] = {"0", "\u226410\u207b\u2075", "0"};
  const char* high[] = {"1", "1", "4\u00d7 even"};
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = px(120);
  for (int i = 0; i < 60; ++i) {
    const float x = at.x + width * static_cast<float>(i) / 60.0F;
    ImGui::GetWindowDrawList()->AddRectFilled({x, at.y + px(5)}, {x + width / 60.0F + 1, at.y + px(13)},
                                              sample(cividis(), static_cast<float>(i) / 59.0F));
  }
  ImGui::Dummy({width, px(18)});
  ImGui::SameLine();
  const int index = static_cast<int>(scale);
  caption(format("%s to %s", low[index], high[index]).c_str());
}

}  // namespace

float scaled_weight(float weight, AttentionScale scale, std::int64_t keys) {
  if (scale == AttentionScale::Linear) return weight;
  if (scale == AttentionScale::Log) return 1.0F + std::log10(std::max(weight, 1e-5F)) / 5.0F;
  return weight * static_cast<float>(keys) / 4.0F;
}

void AttentionView::draw(const Session& session, UiState& ui, Commands& commands) {
  if (!session.model) {
    if (empty_state("Open a model and write something: where each token looked appears here.", "Open the tiny model"))
      open_model({session, ui, commands}, "tiny");
    return;
  }
  const ModelConfig& config = session.model->config;
  ui.layer = std::clamp<std::int64_t>(ui.layer, 0, config.num_layers() - 1);
  ui.head = std::clamp<std::int64_t>(ui.head, 0, config.num_attention_heads - 1);
  commands.watch({.kind = PictureKind::Attention, .layer = ui.layer, .head = ui.head, .prompt = ui.attention_prompt});
  draw_tools(config, ui);
  const AttentionMap* map = session.attention.get();
  if (map == nullptr || map->side <= 0 || map->weights.size() < static_cast<std::size_t>(map->side * map->side)) {
    if (empty_state("Type a text above, or write something: the weights of this layer and head appear here.", "Write",
                    why_not_write({session, ui, commands})))
      run_action("generate.write", {session, ui, commands});
    return;
  }
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const ImVec2 space = ImGui::GetContentRegionAvail();
  const float footer = ImGui::GetTextLineHeightWithSpacing() * 2 + px(12);
  const bool wide = space.x > space.y * 1.35F;
  const float side = std::max(px(80), wide ? space.y - footer : std::min(space.x, (space.y - footer) * 0.72F));
  ImGui::BeginGroup();
  draw_map(*map, ui, {side, side});
  ImGui::EndGroup();
  if (wide) ImGui::SameLine(0, px(16));
  draw_row(*map, wide ? side : space.y - side - footer - px(8));
  draw_color_bar(ui.settings.attention_scale);
  draw_source(*map, ui);
  export_menu("attention export", {low.x, low.y, space.x, space.y},
              {"attention", [map] { return attention_csv(*map); }}, commands);
}

void AttentionView::draw_source(const AttentionMap& map, const UiState& ui) const {
  const auto number = [](std::int64_t value) { return static_cast<long long>(value); };
  std::string source =
      format("Layer %lld, head %lld, %lld tokens", number(map.layer), number(map.head), number(map.num_tokens)).c_str();
  if (map.pool > 1)
    source += format(", each cell the maximum over %lld \u00d7 %lld", number(map.pool), number(map.pool)).c_str();
  const bool stale = map.layer != ui.layer || map.head != ui.head;
  source += stale ? "; the chosen one is being computed" : "; measured, masked cells are background";
  if (not_finite_ > 0) source += format("; %lld not finite", number(not_finite_)).c_str();
  caption(source.c_str());
}

void AttentionView::draw_tools(const ModelConfig& config, UiState& ui) {
  const std::int64_t zero = 0;
  const std::int64_t last_layer = config.num_layers() - 1;
  const std::int64_t last_head = config.num_attention_heads - 1;
  ImGui::PushFont(mono_font(), 0);
  ImGui::SetNextItemWidth(px(130));
  ImGui::SliderScalar("##layer", ImGuiDataType_S64, &ui.layer, &zero, &last_layer, "layer %lld",
                      ImGuiSliderFlags_AlwaysClamp);
  ImGui::SameLine();
  ImGui::SetNextItemWidth(px(110));
  ImGui::SliderScalar("##head", ImGuiDataType_S64, &ui.head, &zero, &last_head, "head %lld",
                      ImGuiSliderFlags_AlwaysClamp);
  ImGui::PopFont();
  if (ImGui::IsWindowFocused(ImGuiFocusedFlags_ChildWindows) && own_arrow_keys()) {
    if (ImGui::IsKeyPressed(ImGuiKey_UpArrow)) ui.layer = std::max<std::int64_t>(0, ui.layer - 1);
    if (ImGui::IsKeyPressed(ImGuiKey_DownArrow)) ui.layer = std::min(last_layer, ui.layer + 1);
    if (ImGui::IsKeyPressed(ImGuiKey_LeftArrow)) ui.head = std::max<std::int64_t>(0, ui.head - 1);
    if (ImGui::IsKeyPressed(ImGuiKey_RightArrow)) ui.head = std::min(last_head, ui.head + 1);
  }
  const LayerConfig& layer = config.layers[static_cast<std::size_t>(ui.layer)];
  ImGui::SameLine();
  chip(name_of(config, layer.attention).c_str(),
       layer.attention.kind == AttentionKind::Mla ? colors().mla : colors().plain);
  if (ImGui::GetWindowWidth() > px(560)) ImGui::SameLine();
  int scale = static_cast<int>(ui.settings.attention_scale);
  if (segmented("scale", {"Linear", "Log", "Even share"}, scale))
    ui.settings.attention_scale = static_cast<AttentionScale>(scale);
  explain(
      "Linear: the weight. Log: log10, floor 1e-5, so that the first token does not swamp the rest. Even share: "
      "weight x number of keys that the query sees");
  ImGui::SameLine();
  export_button("attention export");
  ImGui::SetNextItemWidth(-1);
  // Only a finished text is asked for: each asks the engine for a pass over it.
  text_input("##prompt", typed_, "A text to look at; empty: what was last written");
  if (ImGui::IsItemDeactivatedAfterEdit()) ui.attention_prompt = typed_;
}

void AttentionView::paint(const AttentionMap& map, AttentionScale scale) {
  const ImU32 background = color(colors().masked);
  if (painted_ == &map && painted_version_ == map.version && painted_scale_ == scale &&
      painted_background_ == background)
    return;
  painted_ = &map;
  painted_version_ = map.version;
  painted_scale_ = scale;
  painted_background_ = background;
  not_finite_ = 0;
  const int side = static_cast<int>(map.side);
  ImU32* pixels = texture_.pixels(side, side);
  const int pitch = texture_.pitch();
  for (int query = 0; query < side; ++query) {
    for (int key = 0; key < side; ++key) {
      ImU32& pixel = pixels[query * pitch + key];
      const float weight = weight_at(map, query, key);
      if (key > query) {
        pixel = background;
      } else if (!std::isfinite(weight)) {
        pixel = color(colors().not_a_number);
        ++not_finite_;
      } else {
        pixel = sample(cividis(), scaled_weight(weight, scale, (query + 1) * map.pool));
      }
    }
  }
  texture_.commit();
}

void AttentionView::draw_map(const AttentionMap& map, UiState& ui, ImVec2 size) {
  paint(map, ui.settings.attention_scale);
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const ImVec2 high = {low.x + size.x, low.y + size.y};
  ImDrawList* list = ImGui::GetWindowDrawList();
  texture_.draw(list, low, high);
  list->AddRect(low, high, color(colors().border));
  ImGui::InvisibleButton("map", size);
  if (ImGui::IsItemHovered()) draw_hover(map, low, size.x);
}

void AttentionView::draw_hover(const AttentionMap& map, ImVec2 low, float side) {
  const float cell = side / static_cast<float>(map.side);
  const ImVec2 mouse = ImGui::GetMousePos();
  const auto index = [&](float offset) {
    return std::clamp(static_cast<std::int64_t>(offset / cell), std::int64_t{0}, map.side - 1);
  };
  const std::int64_t query = index(mouse.y - low.y);
  const std::int64_t key = index(mouse.x - low.x);
  row_ = query;
  ImDrawList* list = ImGui::GetWindowDrawList();
  const float y = low.y + (static_cast<float>(query) + 0.5F) * cell;
  const float x = low.x + (static_cast<float>(key) + 0.5F) * cell;
  list->AddLine({low.x, y}, {low.x + side, y}, color(colors().accent, 0.5F));
  list->AddLine({x, low.y}, {x, low.y + side}, color(colors().accent, 0.5F));
  if (!ImGui::BeginTooltip()) return;
  ImGui::PushFont(mono_font(), 0);
  ImGui::TextUnformatted(("query " + cell_text(map, query)).c_str());
  ImGui::TextUnformatted(("key   " + cell_text(map, key)).c_str());
  if (key > query) {
    ImGui::TextUnformatted("masked: a token does not see later ones");
  } else {
    ImGui::Text("weight %s%s", format_value(static_cast<double>(weight_at(map, query, key))).c_str(),
                map.pool > 1 ? ", maximum of the cell" : "");
  }
  ImGui::PopFont();
  ImGui::EndTooltip();
}

void AttentionView::draw_row(const AttentionMap& map, float height) {
  const std::int64_t query = std::clamp<std::int64_t>(row_ < 0 ? map.side - 1 : row_, 0, map.side - 1);
  if (height < px(40)) return;
  if (ImGui::BeginChild("row", {0, height}, ImGuiChildFlags_Borders)) {
    caption(("What the query " + cell_text(map, query) + " looks at").c_str());
    const float largest = std::max(1e-6F, *std::max_element(map.weights.begin() + query * map.side,
                                                            map.weights.begin() + query * map.side + query + 1));
    TokenFlow flow;
    const std::int64_t last = std::min((query + 1) * map.pool, static_cast<std::int64_t>(map.tokens.size()));
    for (std::int64_t i = 0; i < last; ++i) {
      const float weight = weight_at(map, query, i / map.pool) / largest;
      flow.add(map.tokens[static_cast<std::size_t>(i)].text, color(colors().accent, 0.55F * std::sqrt(weight)),
               color(weight > 0.02F ? colors().text : colors().dim));
    }
    flow.end();
  }
  ImGui::EndChild();
}

}  // namespace lathe
