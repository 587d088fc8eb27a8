#include "views/load_panel.h"

#include <algorithm>

#include "views/color_map.h"
#include "views/data_files.h"
#include "views/widgets.h"

namespace lathe {
namespace {

constexpr float kNumbersWidth = 190.0F;
constexpr float kLayerWidth = 34.0F;
constexpr float kExpertWidth = 22.0F;

/// Numbers of the experts at the left of their rows, as many as there is height for.
void draw_experts(ImVec2 low, float height, std::size_t experts) {
  const float size = ImGui::GetFontSize() * 0.75F;
  const float row = height / static_cast<float>(experts);
  std::size_t every = 1;
  while (row * static_cast<float>(every) < size) every *= 2;
  for (std::size_t expert = 0; expert < experts; expert += every) {
    const ShortText number = format("%zu", expert);
    const float width = mono_font()->CalcTextSizeA(size, 1e6F, 0, number.c_str()).x;
    const float y = low.y + (static_cast<float>(expert) + 0.5F) * row - size / 2;
    ImGui::GetWindowDrawList()->AddText(mono_font(), size, {low.x + px(kExpertWidth - 5) - width, std::max(low.y, y)},
                                        color(colors().faint), number.c_str());
  }
}

/// What the last step's load of a layer comes to, on two lines.
void draw_numbers(const RouterHistory& history, std::size_t experts, ImVec2 at, float height) {
  const ShortText above =
      format("H/ln E %.3f  MaxVio %.2f", static_cast<double>(history.entropy.back()) * entropy_scale(experts),
             static_cast<double>(history.max_violation.back()));
  const ShortText below = format("balance %.2f  dead %.0f", static_cast<double>(history.balance.back()),
                                 static_cast<double>(history.dead.back()));
  const float size = ImGui::GetFontSize() * 0.85F;
  const float y = at.y + height / 2;
  const ImU32 ink = color(history.dead.back() > 0 ? colors().warning : colors().dim);
  ImGui::GetWindowDrawList()->AddText(mono_font(), size, {at.x, y - size}, ink, above.c_str());
  ImGui::GetWindowDrawList()->AddText(mono_font(), size, {at.x, y}, ink, below.c_str());
}

void explain_numbers() {
  explain(
      "Of the last step. H/ln E: entropy of the load over ln(experts), 1 at perfect balance. MaxVio: max load / mean "
      "load - 1. Balance: the layer's loss E x sum(f_i P_i), 1 at perfect balance. Dead: experts that no token chose");
}

void draw_scale() {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = px(96);
  for (int i = 0; i < 48; ++i) {
    const float x = at.x + width * static_cast<float>(i) / 48.0F;
    ImGui::GetWindowDrawList()->AddRectFilled({x, at.y + px(5)}, {x + width / 48.0F + 1, at.y + px(13)},
                                              sample(cividis(), static_cast<float>(i) / 47.0F));
  }
  ImGui::Dummy({width, px(18)});
  ImGui::SameLine();
  caption("load, 0 to twice the even share");
}

void strip_tooltip(std::int64_t layer, const LoadStrip& strip, ImVec2 low, ImVec2 high) {
  if (!ImGui::BeginTooltip()) return;
  const ImVec2 mouse = ImGui::GetMousePos();
  const auto columns = static_cast<std::size_t>(strip.texture().width());
  const float x = (mouse.x - low.x) / (high.x - low.x) * static_cast<float>(columns);
  const float y = (mouse.y - low.y) / (high.y - low.y) * static_cast<float>(strip.experts());
  const std::size_t column = std::min(static_cast<std::size_t>(x), columns - 1);
  const std::size_t expert = std::min(static_cast<std::size_t>(y), strip.experts() - 1);
  ImGui::Text("Layer %lld, expert %zu", static_cast<long long>(layer), expert);
  ImGui::Text(
      "step %zu%s: %.1f %% of the choices", column * strip.pool() + 1,
      strip.pool() > 1 ? format(" to %zu, mean", std::min((column + 1) * strip.pool(), strip.steps())).c_str() : "",
      100.0 * static_cast<double>(strip.load(column, expert)));
  ImGui::Text("even share %.1f %%", 100.0 / static_cast<double>(strip.experts()));
  ImGui::EndTooltip();
}

}  // namespace

void draw_load_strip(std::int64_t layer, const RouterHistory& history, LoadStrip& strip, float height) {
  if (strip.experts() == 0) return;
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const ImVec2 low = {at.x + px(kLayerWidth + kExpertWidth), at.y};
  const float end = at.x + ImGui::GetContentRegionAvail().x - px(kNumbersWidth);
  const ImVec2 high = {std::max(low.x + px(40), end), at.y + height};
  ImDrawList* list = ImGui::GetWindowDrawList();
  list->AddText({at.x, at.y + (height - ImGui::GetTextLineHeight()) / 2}, color(colors().dim),
                format("L%lld", static_cast<long long>(layer)).c_str());
  draw_experts({at.x + px(kLayerWidth), at.y}, height, strip.experts());
  strip.texture().draw(list, low, high);
  draw_numbers(history, strip.experts(), {high.x + px(8), at.y}, height);
  ImGui::Dummy({ImGui::GetContentRegionAvail().x, height});
  if (!ImGui::IsItemHovered()) return;
  if (ImGui::IsMouseHoveringRect(low, high)) {
    strip_tooltip(layer, strip, low, high);
  } else if (ImGui::GetMousePos().x > high.x) {
    explain_numbers();
  }
}

void draw_load_axis(std::size_t steps) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float low = at.x + px(kLayerWidth + kExpertWidth);
  const float high = at.x + ImGui::GetContentRegionAvail().x - px(kNumbersWidth);
  const ShortText last = format("step %zu", steps);
  const float size = ImGui::GetFontSize() * 0.85F;
  const float width = mono_font()->CalcTextSizeA(size, 1e6F, 0, last.c_str()).x;
  ImDrawList* list = ImGui::GetWindowDrawList();
  list->AddText(mono_font(), size, {low, at.y}, color(colors().faint), "1");
  list->AddText(mono_font(), size, {std::max(low + px(16), high - width), at.y}, color(colors().faint), last.c_str());
  ImGui::Dummy({1, size});
  draw_scale();
}

}  // namespace lathe
