#include "views/tour.h"

#include <imgui_internal.h>

#include <algorithm>
#include <array>

#include "views/reasons.h"
#include "views/widgets.h"

namespace lathe {
namespace {

struct Step {
  const char* title;
  const char* text;
  const char* button;
  Workspace workspace;
  const char* panel;  ///< the window that the step points at
};

constexpr std::array<Step, kTourSteps> kSteps = {{
    {"Open a model",
     "Lathe ships a tiny Llama that it trained itself. It opens in a second; every layer becomes a row of the board "
     "on the left.",
     "Open the tiny model", Workspace::Design, "Layers###layers.Design.1"},
    {"Plan which layers change",
     "The plan says which attention becomes MLA and which feed-forward becomes a mixture of experts. Click and drag on "
     "the board, or start from a recipe. Nothing is changed yet: the bar above shows what it would save.",
     "Load a plan", Workspace::Design, "Plan###plan.Design.1"},
    {"Convert",
     "The plan is carried out layer by layer, each measured against the original. The receipt holds every error; Undo "
     "returns the very same weights.",
     "Convert", Workspace::Design, "top bar"},
    {"Heal",
     "A short training run of the converted layers wins back what the conversion cost. Watch the loss and how the "
     "router spreads its tokens.",
     "Start healing", Workspace::Train, "Training###train.Train.1"},
    {"Write",
     "Write with the healed model beside the original. Hover a token for its probability and what else it could have "
     "been.",
     "Write", Workspace::Generate, "Generate###generate.Generate.1"},
}};

bool step_done(const ActionContext& context, int step) {
  const Session& session = context.session;
  const UiState& ui = context.ui;
  switch (step) {
    case 0:
      return session.model.has_value() && !is_pending(session, ui.open_job);
    case 1:
      return !ui.plan.plan().empty() || (session.model && session.model->differs_from_original);
    case 2:
      return session.receipt.has_value() && !is_pending(session, ui.convert_job);
    case 3:
      return !session.train.loss.empty() && !is_pending(session, ui.train_job);
    default:
      return session.writing.result.has_value();
  }
}

bool step_runs(const ActionContext& context, int step) {
  const UiState& ui = context.ui;
  const std::array<JobId, kTourSteps> jobs = {ui.open_job, 0, ui.convert_job, ui.train_job, ui.generate_job};
  return is_pending(context.session, jobs[static_cast<std::size_t>(step)]);
}

void run_step(ActionContext context, int step) {
  if (step == 0) open_model(context, "tiny");
  if (step == 1) {
    if (const Recipe* recipe = recipe_for(context.session, context.ui)) {
      load_recipe(context, *recipe);
    } else {
      run_action("plan.suggest", context);
    }
  }
  if (step == 2) run_action("plan.convert", context);
  if (step == 3) run_action("train.start", context);
  if (step == 4) run_action("generate.write", context);
}

/// Why the step's button does nothing yet; null if it works.
const char* why_not(const ActionContext& context, int step) {
  switch (step) {
    case 2:
      return why_not_convert(context);
    case 3:
      return why_not_train(context);
    case 4:
      return why_not_write(context);
    default:
      return step == 1 && !context.session.model ? "Open a model first" : nullptr;
  }
}

/// A frame around the panel, so that the eye finds it.
void point_at(const char* panel) {
  const ImGuiWindow* window = ImGui::FindWindowByName(panel);
  if (window == nullptr || !window->WasActive) return;
  const ImVec2 high = {window->Pos.x + window->Size.x, window->Pos.y + window->Size.y};
  // Into the panel's own list: on top of all it would cross the card.
  window->DrawList->PushClipRectFullScreen();
  window->DrawList->AddRect(window->Pos, high, color(colors().accent), px(6), px(2));
  window->DrawList->PopClipRect();
}

void draw_dots(int step) {
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  for (int i = 0; i < kTourSteps; ++i) {
    const ImVec2 center = {at.x + px(5) + static_cast<float>(i) * px(16), at.y + px(6)};
    list->AddCircleFilled(center, px(i == step ? 5 : 3.5F),
                          color(i <= step ? colors().accent : colors().strong_border));
  }
  ImGui::Dummy({px(16) * kTourSteps, px(14)});
}

void draw_buttons(ActionContext context, int& step) {
  const bool done = step_done(context, step);
  const bool last = step + 1 == kTourSteps;
  if (done) {
    if (primary_button(last ? "Finish" : "Next")) step = last ? -1 : step + 1;
  } else if (step_runs(context, step)) {
    ImGui::BeginDisabled();
    primary_button("Working\u2026");
    ImGui::EndDisabled();
  } else {
    const char* reason = why_not(context, step);
    if (reason != nullptr) caption(reason);
    ImGui::BeginDisabled(reason != nullptr);
    if (primary_button(kSteps[static_cast<std::size_t>(step)].button)) run_step(context, step);
    ImGui::EndDisabled();
  }
  if (step < 0) return;
  ImGui::SameLine();
  if (step > 0 && quiet_button("Back")) --step;
  ImGui::SameLine();
  const float width = ImGui::CalcTextSize("Leave the tour").x + 2 * ImGui::GetStyle().FramePadding.x;
  ImGui::SetCursorPosX(ImGui::GetWindowWidth() - width - px(16));
  if (quiet_button("Leave the tour")) step = -1;
}

}  // namespace

const Recipe* recipe_for(const Session& session, const UiState& ui) {
  if (!session.model) return nullptr;
  const auto found = std::ranges::find_if(
      ui.recipes, [&](const Recipe& recipe) { return plan_problems(recipe.plan, session.model->config).empty(); });
  return found == ui.recipes.end() ? nullptr : &*found;
}

void draw_tour(ActionContext context) {
  int& step = context.ui.tour_step;
  if (step < 0 || step >= kTourSteps) return;
  const int shown = step;
  point_at(kSteps[static_cast<std::size_t>(step)].panel);
  const Step& now = kSteps[static_cast<std::size_t>(step)];
  const ImGuiViewport* viewport = ImGui::GetMainViewport();
  const ImVec2 corner = {viewport->WorkPos.x + viewport->WorkSize.x / 2,
                         viewport->WorkPos.y + viewport->WorkSize.y - px(24)};
  ImGui::SetNextWindowPos(corner, ImGuiCond_Always, {0.5F, 1});
  ImGui::SetNextWindowSize({std::min(px(480), viewport->WorkSize.x - px(32)), 0});
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {px(16), px(14)});
  ImGui::PushStyleColor(ImGuiCol_WindowBg, colors().raised);
  ImGui::PushStyleColor(ImGuiCol_Border, colors().accent);
  ImGui::Begin("tour", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoDocking | ImGuiWindowFlags_AlwaysAutoResize |
                   ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoFocusOnAppearing);
  ImGui::PopStyleColor(2);
  ImGui::PopStyleVar();
  draw_dots(step);
  ImGui::PushFont(bold_font(), ImGui::GetStyle().FontSizeBase * 1.15F);
  ImGui::Text("%d. %s", step + 1, now.title);
  ImGui::PopFont();
  ImGui::PushTextWrapPos(0);
  ImGui::TextUnformatted(now.text);
  ImGui::PopTextWrapPos();
  ImGui::Dummy({0, px(2)});
  draw_buttons(context, step);
  ImGui::End();
  if (step >= 0 && step != shown) context.ui.settings.workspace = kSteps[static_cast<std::size_t>(step)].workspace;
  if (step < 0) context.ui.settings.tour_seen = true;
}

}  // namespace lathe
