#include "views/dialogs.h"

#include <algorithm>

#include "views/command_palette.h"
#include "views/error_card.h"
#include "views/export_dialog.h"
#include "views/modal.h"
#include "views/widgets.h"

namespace lathe {

bool begin_modal(const char* title, UiState& ui, float width) {
  if (!ImGui::IsPopupOpen(title)) ImGui::OpenPopup(title);
  ImGui::SetNextWindowPos(ImGui::GetMainViewport()->GetCenter(), ImGuiCond_Always, {0.5F, 0.5F});
  ImGui::SetNextWindowSize({std::min(px(width), ImGui::GetMainViewport()->Size.x - px(32)), 0});
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {px(20), px(16)});
  bool open = true;
  const bool shown = ImGui::BeginPopupModal(
      title, &open, ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoSavedSettings);
  ImGui::PopStyleVar();
  if (!open || (shown && ImGui::IsKeyPressed(ImGuiKey_Escape))) {
    ui.dialog = Dialog::None;
    if (shown) ImGui::CloseCurrentPopup();
  }
  return shown;
}

namespace {

void draw_shortcuts(ActionContext context) {
  if (!begin_modal("Keyboard shortcuts", context.ui, 560)) return;
  const float height = std::min(px(420), ImGui::GetMainViewport()->WorkSize.y - px(104));
  if (ImGui::BeginTable("keys", 2, ImGuiTableFlags_RowBg | ImGuiTableFlags_ScrollY, {0, height})) {
    ImGui::TableSetupColumn("action");
    ImGui::TableSetupColumn("key", ImGuiTableColumnFlags_WidthFixed, px(170));
    const auto row = [](const char* title, const char* key) {
      ImGui::TableNextRow();
      ImGui::TableNextColumn();
      ImGui::TextUnformatted(title);
      ImGui::TableNextColumn();
      ImGui::PushFont(mono_font(), ImGui::GetStyle().FontSizeBase * 0.93F);
      ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
      text_right(key);
      ImGui::PopStyleColor();
      ImGui::PopFont();
    };
    for (const Action& action : actions())
      if (action.key != 0) row(action.title, key_text(action.key).c_str());
    row("Board: move the selection", "Arrows, Home, End");
    row("Board: extend the selection", "Shift+Arrows, Shift+Click");
    row("Board: add to the selection", "Ctrl+Click");
    row("Board: paint the plan", "Drag");
    row("Plot: zoom, pan, fit", "Wheel, Drag, Double-click");
    ImGui::EndTable();
  }
  ImGui::EndPopup();
}

void draw_about(ActionContext context) {
  if (!begin_modal("About Lathe", context.ui, 420)) return;
  ImGui::PushFont(bold_font(), ImGui::GetStyle().FontSizeBase * 1.6F);
  ImGui::TextUnformatted("Lathe");
  ImGui::PopFont();
  ImGui::TextWrapped(
      "A studio that reshapes Llama checkpoints: attention into multi-head latent attention, MLPs into "
      "mixtures of experts, healed and measured.");
  caption(
      "Nothing is hidden: every number is measured or says that it is not. Nothing is lost: surgery is undoable. "
      "Nothing waits: every long job can be cancelled.");
  ImGui::Dummy({0, px(4)});
  if (primary_button("Take the tour")) {
    context.ui.tour_step = 0;
    context.ui.dialog = Dialog::None;
    ImGui::CloseCurrentPopup();
  }
  ImGui::EndPopup();
}

void draw_preferences(ActionContext context) {
  if (!begin_modal("Preferences", context.ui, 472)) return;
  Settings& settings = context.ui.settings;
  int theme = static_cast<int>(settings.theme);
  ImGui::AlignTextToFramePadding();
  ImGui::TextUnformatted("Theme");
  ImGui::SameLine(px(150));
  if (segmented("theme", {"Dark", "Light"}, theme)) settings.theme = static_cast<Theme>(theme);
  ImGui::AlignTextToFramePadding();
  ImGui::TextUnformatted("Interface size");
  for (const int percent : {75, 100, 125, 150, 200}) {
    ImGui::SameLine(percent == 75 ? px(150) : 0, percent == 75 ? -1 : px(2));
    const bool on = static_cast<int>(settings.scale * 100 + 0.5F) == percent;
    ImGui::PushStyleColor(ImGuiCol_Button, on ? colors().accent_soft : colors().field);
    if (ImGui::Button(format("%d %%", percent).c_str())) settings.scale = static_cast<float>(percent) / 100.0F;
    ImGui::PopStyleColor();
  }
  ImGui::Dummy({0, px(4)});
  if (ImGui::Button("Reset layout")) context.ui.reset_layout = true;
  ImGui::SameLine();
  if (ImGui::Button("Forget recent models")) settings.recent.clear();
  ImGui::EndPopup();
}

/// What is lost by quitting or opening another model now.
void draw_losses(const Session& session) {
  if (session.model && !session.model->saved)
    ImGui::TextWrapped("The model was changed and not saved: its conversion and training are lost.");
  for (const JobView& job : session.jobs)
    if (!job.has_ended())
      ImGui::TextWrapped("%s has not ended: it is cancelled, what it did is lost.", job.title.c_str());
  ImGui::Dummy({0, px(4)});
}

/// Asks before `ui.open_next` is opened, or before the program ends.
void draw_confirm(ActionContext context) {
  const bool opens = context.ui.dialog == Dialog::ConfirmOpen;
  const bool unsaved = context.session.model && !context.session.model->saved;
  const char* titles[] = {"Quit while a job runs?", "Quit without saving?", "Open while a job runs?",
                          "Open without saving?"};
  const char* buttons[] = {"Cancel it and quit", "Quit without saving", "Cancel it and open", "Open without saving"};
  const int kind = 2 * static_cast<int>(opens) + static_cast<int>(unsaved);
  if (!begin_modal(titles[kind], context.ui, 420)) return;
  draw_losses(context.session);
  bool close = true;
  if (unsaved && primary_button("Save model\u2026")) {
    context.commands.ask(AskPath{PathFor::SaveModel});
  } else {
    if (unsaved) ImGui::SameLine();
    if (ImGui::Button(buttons[kind])) {
      if (opens) open_model_at_once(context, std::move(context.ui.open_next));
      if (!opens) context.commands.ask(Quit{});
    } else {
      ImGui::SameLine();
      close = ImGui::Button("Keep working");
    }
  }
  if (close) {
    context.ui.dialog = Dialog::None;
    ImGui::CloseCurrentPopup();
  }
  ImGui::EndPopup();
}

void draw_failure(const JobView& job, float& y, UiState& ui) {
  const ImGuiViewport* viewport = ImGui::GetMainViewport();
  const ImVec2 corner = {viewport->WorkPos.x + viewport->WorkSize.x - px(16), y};
  ImGui::SetNextWindowPos(corner, ImGuiCond_Always, {1, 1});
  const float width = std::min(px(420), viewport->WorkSize.x - px(32));
  ImGui::SetNextWindowSizeConstraints({width, 0}, {width, std::min(px(360), viewport->WorkSize.y - px(32))});
  ImGui::PushStyleColor(ImGuiCol_WindowBg, mix(colors().raised, colors().error, 0.08F));
  ImGui::PushStyleColor(ImGuiCol_Border, colors().error);
  const ShortText name = format("##failure %lld", static_cast<long long>(job.id));
  ImGui::Begin(name.c_str(), nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoDocking | ImGuiWindowFlags_AlwaysAutoResize |
                   ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoFocusOnAppearing);
  ImGui::PopStyleColor(2);
  ImGui::PushFont(bold_font(), 0);
  ImGui::TextWrapped("%s failed", job.title.c_str());
  ImGui::PopFont();
  // What failed without parts says all of it in the message.
  error_card(job.error.what.empty() ? ErrorParts{.what = job.message} : job.error);
  ImGui::SameLine();
  if (ImGui::Button("Dismiss")) ui.dismissed.insert(job.id);
  y -= ImGui::GetWindowHeight() + px(8);
  ImGui::End();
}

}  // namespace

void draw_dialogs(ActionContext context) {
  switch (context.ui.dialog) {
    case Dialog::None:
    case Dialog::Open:  // drawn by OpenDialog
      return;
    case Dialog::Export:
      return draw_export_dialog(context);
    case Dialog::Palette:
      return draw_command_palette(context);
    case Dialog::Shortcuts:
      return draw_shortcuts(context);
    case Dialog::About:
      return draw_about(context);
    case Dialog::Preferences:
      return draw_preferences(context);
    case Dialog::ConfirmQuit:
    case Dialog::ConfirmOpen:
      return draw_confirm(context);
  }
}

void draw_failures(ActionContext context) {
  constexpr int kMostCards = 3;
  const ImGuiViewport* viewport = ImGui::GetMainViewport();
  float y = viewport->WorkPos.y + viewport->WorkSize.y - px(16);
  int cards = 0;
  for (auto job = context.session.jobs.rbegin(); job != context.session.jobs.rend() && cards < kMostCards; ++job) {
    if (!job->has_ended() || job->outcome != JobOutcome::Failed || context.ui.dismissed.contains(job->id)) continue;
    draw_failure(*job, y, context.ui);
    ++cards;
  }
}

}  // namespace lathe
