#include "views/welcome.h"

#include <algorithm>
#include <utility>

#include "views/widgets.h"

namespace lathe {
namespace {

constexpr float kWidth = 420.0F;

/// A wide button with what it does beneath its name.
bool choice(const char* title, const char* what, float width) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float tall = 2 * ImGui::GetTextLineHeight() + px(18);
  const bool pressed = ImGui::Button(format("##%s", title).c_str(), {width, tall});
  ImDrawList* list = ImGui::GetWindowDrawList();
  const float size = ImGui::GetFontSize();
  list->AddText(bold_font(), size, {at.x + px(14), at.y + px(8)}, color(colors().text), title);
  list->AddText(text_font(), size * 0.9F, {at.x + px(14), at.y + px(10) + ImGui::GetTextLineHeight()},
                color(colors().dim), what);
  return pressed;
}

void draw_choices(ActionContext context, float width) {
  if (primary_button("Open the tiny model", {width, px(36)})) open_model(context, "tiny");
  explain("A small Llama that Lathe trained itself; opens at once");
  if (choice("Open SmolLM2-135M", "A real model, fetched when Lathe was set up", width)) open_model(context, "default");
  if (choice("Open a model\u2026", "A folder or file: Hugging Face, GGUF, PyTorch, or one that Lathe saved", width))
    run_action("model.open", context);
}

void draw_recent(ActionContext context, float width) {
  const RecentModel* chosen = nullptr;
  int shown = 0;
  for (const RecentModel& model : context.ui.settings.recent) {
    const std::string& path = model.path;
    if (path == "tiny" || path == "default" || shown == 4) continue;
    if (shown++ == 0) heading("Recent");
    ImGui::PushID(shown);
    const float x = ImGui::GetCursorPosX();
    if (ImGui::Selectable("##recent", false, 0, {width, 0})) chosen = &model;
    ImGui::SameLine(x + px(4));
    clipped_text(path.c_str());
    ImGui::PopID();
  }
  if (chosen != nullptr) open_model(context, {.path = chosen->path, .config = chosen->config});
}

}  // namespace

void draw_welcome(ActionContext context) {
  if (is_pending(context.session, context.ui.open_job)) {
    empty_state("The model is being opened\u2026 Its progress is below and at the top right.");
    return;
  }
  const ImVec2 space = ImGui::GetContentRegionAvail();
  const float width = std::min(px(kWidth), space.x);
  const float top = std::max(0.0F, (space.y - px(440)) * 0.4F);
  ImGui::SetCursorPos({ImGui::GetCursorPosX() + (space.x - width) / 2, ImGui::GetCursorPosY() + top});
  if (ImGui::BeginChild("welcome", {width, 0})) {
    ImGui::PushFont(bold_font(), ImGui::GetStyle().FontSizeBase * 1.8F);
    ImGui::TextUnformatted("Lathe");
    ImGui::PopFont();
    ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
    ImGui::TextWrapped(
        "Turn the attention of a Llama model into MLA and its MLPs into mixtures of experts, heal it, and "
        "see what it cost. Open a model, or drop a file or folder onto this window.");
    ImGui::PopStyleColor();
    ImGui::Dummy({0, px(8)});
    draw_choices(context, width);
    draw_recent(context, width);
    ImGui::Dummy({0, px(4)});
    if (quiet_button("Take the tour in five steps")) context.ui.tour_step = 0;
  }
  ImGui::EndChild();
}

}  // namespace lathe
