#include "views/actions.h"

#include <imgui_internal.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "views/reasons.h"

namespace lathe {
namespace {

using Context = ActionContext;

bool always(const Context&) { return true; }
bool has_model(const Context& c) { return c.session.model.has_value(); }
bool has_selection(const Context& c) { return has_model(c) && !c.ui.selection.cells.empty(); }
bool has_plan(const Context& c) { return has_model(c) && !c.ui.plan.plan().empty(); }
bool can_convert(const Context& c) { return why_not_convert(c) == nullptr; }
bool can_train(const Context& c) { return why_not_train(c) == nullptr; }
bool can_write(const Context& c) { return why_not_write(c) == nullptr; }
bool can_measure(const Context& c) { return has_model(c) && !is_busy(c.session); }
bool can_stop(const Context& c) { return is_busy(c.session); }
bool can_undo(const Context& c) {
  return c.ui.plan.can_undo() || (has_model(c) && !c.session.model->undo.empty() && !is_busy(c.session));
}
bool can_redo(const Context& c) {
  return c.ui.plan.can_redo() || (has_model(c) && !c.session.model->redo.empty() && !is_busy(c.session));
}

void save_plan(Context& c) {
  const std::string name = c.ui.plan.plan().name.empty() ? "plan" : c.ui.plan.plan().name;
  c.commands.ask(SaveFile{name + ".json", plan_to_json(c.ui.plan.plan()).dump(2) + "\n"});
}

void clear_plan(Context& c) { c.ui.plan.edit("Clear the plan", {}); }

void suggest_plan(Context& c) {
  c.ui.plan.edit("Suggest a plan", suggested_plan(c.session.model->config));
  tell(c.ui, "A first plan for this model: change it on the board");
}

void select_all(Context& c) {
  for (std::int64_t layer = 0; layer < c.session.model->config.num_layers(); ++layer) {
    c.ui.selection.cells.insert({layer, LayerPart::Attention});
    c.ui.selection.cells.insert({layer, LayerPart::FeedForward});
  }
}

void stop_job(Context& c) { c.commands.cancel(c.session.next_job()->id); }

void evaluate(Context& c) {
  c.ui.evaluate_job = c.commands.post(
      Evaluate{.text = {}, .against = c.session.model->differs_from_original ? "original" : "", .per_token_file = {}});
}

/// In steps that come back to where they started.
void zoom(Context& c, float by) {
  c.ui.settings.scale = std::clamp(std::round((c.ui.settings.scale + by) * 20.0F) / 20.0F, 0.75F, 2.0F);
}

void quit(Context& c) {
  if (would_lose_work(c.session, c.ui)) {
    c.ui.dialog = Dialog::ConfirmQuit;
  } else {
    c.commands.ask(Quit{});
  }
}

constexpr ImGuiKeyChord operator+(ImGuiKey a, ImGuiKey b) { return static_cast<int>(a) | static_cast<int>(b); }
constexpr ImGuiKeyChord operator+(ImGuiKeyChord a, ImGuiKey b) { return a | static_cast<int>(b); }
constexpr ImGuiKey kCtrl = ImGuiMod_Ctrl;
constexpr ImGuiKey kShift = ImGuiMod_Shift;

template <Workspace kWorkspace>
void switch_to(Context& c) {
  c.ui.settings.workspace = kWorkspace;
}

template <Dialog kDialog>
void show(Context& c) {
  c.ui.dialog = kDialog;
}

const Action kActions[] = {
    {"model.open", "File", "Open model\u2026", kCtrl + ImGuiKey_O, always, show<Dialog::Open>},
    {"model.open-folder", "File", "Open model folder\u2026", kCtrl + kShift + ImGuiKey_O, always,
     [](Context& c) { c.commands.ask(AskPath{PathFor::OpenModelFolder}); }},
    {"model.open-default", "File", "Open SmolLM2-135M", 0, always, [](Context& c) { open_model(c, "default"); }},
    {"model.open-tiny", "File", "Open the tiny model", 0, always, [](Context& c) { open_model(c, "tiny"); }},
    {"model.save", "File", "Save model\u2026", kCtrl + ImGuiKey_S, has_model,
     [](Context& c) { c.commands.ask(AskPath{PathFor::SaveModel}); }},
    {"model.export", "File", "Export model\u2026", kCtrl + ImGuiKey_E, has_model, show<Dialog::Export>},
    {"plan.open", "File", "Open plan or recipe\u2026", kCtrl + kShift + ImGuiKey_P, always,
     [](Context& c) { c.commands.ask(AskPath{PathFor::OpenPlan}); }},
    {"plan.save", "File", "Save plan\u2026", kCtrl + kShift + ImGuiKey_S, has_plan, save_plan},
    {"app.quit", "File", "Quit", kCtrl + ImGuiKey_Q, always, quit},

    {"edit.undo", "Edit", "Undo", kCtrl + ImGuiKey_Z, can_undo, [](Context& c) { undo(c); }},
    {"edit.redo", "Edit", "Redo", kCtrl + kShift + ImGuiKey_Z, can_redo, [](Context& c) { redo(c); }},
    {"board.select-all", "Edit", "Select all layers", kCtrl + ImGuiKey_A, has_model, select_all},
    {"board.select-none", "Edit", "Select nothing", 0, has_selection, [](Context& c) { c.ui.selection.clear(); }},
    {"app.preferences", "Edit", "Preferences\u2026", kCtrl + ImGuiKey_Comma, always, show<Dialog::Preferences>},

    {"board.mla", "Model", "Attention of the selection: MLA or back", ImGuiKey_M, has_selection,
     [](Context& c) { toggle_selected(c, LayerPart::Attention); }},
    {"board.moe", "Model", "Feed-forward of the selection: MoE or back", ImGuiKey_E, has_selection,
     [](Context& c) { toggle_selected(c, LayerPart::FeedForward); }},
    {"plan.suggest", "Model", "Suggest a plan", 0, has_model, suggest_plan},
    {"plan.clear", "Model", "Clear the plan", 0, has_plan, clear_plan},

    {"plan.convert", "Run", "Convert", kCtrl + ImGuiKey_Enter, can_convert, [](Context& c) { convert_plan(c); }},
    {"train.start", "Run", "Start healing", ImGuiKey_F5, can_train, [](Context& c) { start_training(c); }},
    {"generate.write", "Run", "Write", ImGuiKey_F6, can_write, [](Context& c) { write_text(c); }},
    {"model.evaluate", "Run", "Measure held-out loss", ImGuiKey_F7, can_measure, evaluate},
    {"job.cancel", "Run", "Cancel the running job", kShift + ImGuiKey_Escape, can_stop, stop_job},

    {"workspace.design", "View", "Design", kCtrl + ImGuiKey_1, always, switch_to<Workspace::Design>},
    {"workspace.train", "View", "Train", kCtrl + ImGuiKey_2, always, switch_to<Workspace::Train>},
    {"workspace.generate", "View", "Generate", kCtrl + ImGuiKey_3, always, switch_to<Workspace::Generate>},
    {"workspace.inspect", "View", "Inspect", kCtrl + ImGuiKey_4, always, switch_to<Workspace::Inspect>},
    {"view.theme", "View", "Switch between dark and light", kCtrl + ImGuiKey_T, always,
     [](Context& c) { c.ui.settings.theme = c.ui.settings.theme == Theme::Dark ? Theme::Light : Theme::Dark; }},
    {"view.larger", "View", "Larger interface", kCtrl + ImGuiKey_Equal, always, [](Context& c) { zoom(c, 0.1F); }},
    {"view.smaller", "View", "Smaller interface", kCtrl + ImGuiKey_Minus, always, [](Context& c) { zoom(c, -0.1F); }},
    {"view.actual-size", "View", "Interface at its normal size", kCtrl + ImGuiKey_0, always,
     [](Context& c) { c.ui.settings.scale = 1.0F; }},
    {"view.reset-layout", "View", "Reset layout", 0, always, [](Context& c) { c.ui.reset_layout = true; }},

    {"help.palette", "Help", "Command palette", kCtrl + ImGuiKey_K, always, show<Dialog::Palette>},
    {"help.shortcuts", "Help", "Keyboard shortcuts", kCtrl + ImGuiKey_Slash, always, show<Dialog::Shortcuts>},
    {"help.tour", "Help", "Take the tour", ImGuiKey_F1, always, [](Context& c) { c.ui.tour_step = 0; }},
    {"help.about", "Help", "About Lathe", 0, always, show<Dialog::About>},
};

bool starts_word(std::string_view title, std::size_t at) {
  return at == 0 || title[at - 1] == ' ' || title[at - 1] == '-';
}

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

}  // namespace

std::span<const Action> actions() { return kActions; }

const Action* find_action(std::string_view id) {
  const auto found = std::ranges::find(kActions, id, [](const Action& action) { return std::string_view(action.id); });
  return found == std::end(kActions) ? nullptr : found;
}

bool run_action(std::string_view id, ActionContext context) {
  const Action* action = find_action(id);
  if (action == nullptr || !action->enabled(context)) return false;
  run(*action, context);
  return true;
}

void run(const Action& action, ActionContext context) {
  if (context.ui.notice.is_error) context.ui.notice = {};
  action.run(context);
}

void handle_keys(ActionContext context) {
  // What a dialog or menu is open over does not hear the keys, not even in the frames before the dialog's field is
  // active.
  constexpr ImGuiPopupFlags kAny = ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel;
  const auto is_covered = [&] { return context.ui.dialog != Dialog::None || ImGui::IsPopupOpen("", kAny); };
  if (is_covered()) return;
  for (const Action& action : kActions) {
    if (action.key == 0 || !ImGui::Shortcut(action.key, ImGuiInputFlags_RouteGlobal)) continue;
    if (action.enabled(context)) run(action, context);
    if (is_covered()) return;
  }
  // A second habit for the same thing.
  if (ImGui::Shortcut(kCtrl + ImGuiKey_Y, ImGuiInputFlags_RouteGlobal)) run_action("edit.redo", context);
}

std::string key_text(ImGuiKeyChord key) {
  if (key == 0) return {};
  std::string name = ImGui::GetKeyChordName(key);
  const std::array<std::pair<const char*, const char*>, 5> signs = {
      {{"Slash", "/"}, {"Comma", ","}, {"Equal", "+"}, {"Minus", "\u2212"}, {"Escape", "Esc"}}};
  for (const auto& [word, sign] : signs) {
    const std::size_t at = name.find(word);
    if (at != std::string::npos) name.replace(at, std::string_view(word).size(), sign);
  }
  return name;
}

int fuzzy_score(std::string_view query, std::string_view title) {
  int score = 1;
  std::size_t at = 0;
  bool adjacent = false;
  for (const char wanted : query) {
    if (wanted == ' ') continue;
    const std::size_t from = at;
    while (at < title.size() && lower(title[at]) != lower(wanted)) ++at;
    if (at == title.size()) return 0;
    score += starts_word(title, at) ? 8 : adjacent && at == from ? 5 : 1;
    adjacent = true;
    ++at;
  }
  return score;
}

std::vector<const Action*> search_actions(std::string_view query) {
  std::vector<std::pair<int, const Action*>> scored;
  for (const Action& action : kActions) {
    const int score = std::max(fuzzy_score(query, action.title) * 2, fuzzy_score(query, action.id));
    if (score > 0) scored.emplace_back(score, &action);
  }
  if (!query.empty()) std::ranges::stable_sort(scored, std::greater{}, &std::pair<int, const Action*>::first);
  std::vector<const Action*> found;
  for (const auto& [score, action] : scored) found.push_back(action);
  return found;
}

}  // namespace lathe
