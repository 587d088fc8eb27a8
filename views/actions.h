#pragma once

#include <imgui.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/data/session.h"
#include "views/commands.h"
#include "views/ui_state.h"

namespace lathe {

/// What an action works on, borrowed for one call.
struct ActionContext {
  const Session& session;
  UiState& ui;
  Commands& commands;
};

/// Something that the user can do, by menu, key, command palette or script.
struct Action {
  const char* id;     ///< stable, for scripts: "plan.convert"
  const char* menu;   ///< which menu lists it; null: none
  const char* title;  ///< "…" at the end when it asks for more
  ImGuiKeyChord key;  ///< 0: none
  bool (*enabled)(const ActionContext& context);
  void (*run)(ActionContext& context);
};

/// All actions, in the order of the menus.
std::span<const Action> actions();
const Action* find_action(std::string_view id);

/// Runs the action if it is enabled; false if there is none of that name or it is not.
bool run_action(std::string_view id, ActionContext context);

/// Runs an action that is enabled: the way for menus, keys and buttons alike.
void run(const Action& action, ActionContext context);

/// Runs what the keys pressed in this frame ask for. Plain letters do nothing while text is typed,
/// no key does while a dialog or a menu is open.
void handle_keys(ActionContext context);

/// "Ctrl+Shift+Z"; empty without a key.
std::string key_text(ImGuiKeyChord key);

/// How well `query` matches `title`: letters in order, better at the starts of words; 0 if it does not.
int fuzzy_score(std::string_view query, std::string_view title);
/// Actions that match, best first; all for an empty query.
std::vector<const Action*> search_actions(std::string_view query);

/// Runs what needs more than one line, shared by actions, buttons and the tour.
/// Opens the model, but asks first if that loses work.
void open_model(ActionContext context, OpenModel open);
void open_model(ActionContext context, std::string path);
/// Cancels what runs and opens the model.
void open_model_at_once(ActionContext context, OpenModel open);
/// Exports in the form that the Export dialog says, into `folder`, and shows how it goes in the dialog.
void export_to(ActionContext context, std::string folder);
/// Shows the model in the Open dialog, and asks for what it is. `config` as OpenModel's.
void ask_preview(ActionContext context, std::string path, std::string config = {});
void convert_plan(ActionContext context);
void start_training(ActionContext context);
void write_text(ActionContext context);
/// Ends the writing of the model and of its original beside it.
void stop_writing(ActionContext context);
void undo(ActionContext context);
void redo(ActionContext context);
/// Converts the selected cells of `part` in the plan, or takes them out if all of them are planned.
void toggle_selected(ActionContext context, LayerPart part);
void load_recipe(ActionContext context, const Recipe& recipe);

/// The model or its original writes, or waits to.
bool is_writing(const Session& session, const UiState& ui);

/// A job runs or waits: the engine changes or uses the weights.
bool is_busy(const Session& session);

/// True if quitting or opening a model now loses changes that are not saved, or a job that has not ended.
bool would_lose_work(const Session& session, const UiState& ui);

}  // namespace lathe
