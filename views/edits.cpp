// What actions.h does to the plan, the model and the run.
#include <algorithm>
#include <utility>

#include "views/actions.h"
#include "views/reasons.h"

namespace lathe {

bool is_busy(const Session& session) { return session.next_job() != nullptr; }

bool would_lose_work(const Session& session, const UiState& ui) {
  const bool unsaved = session.model && !session.model->saved;
  return unsaved || std::ranges::any_of(session.jobs, [&ui](const JobView& job) {
           return !job.has_ended() && job.id != ui.open_job;  // an opening has made nothing yet
         });
}

void open_model(ActionContext context, OpenModel open) {
  if (!would_lose_work(context.session, context.ui)) return open_model_at_once(context, std::move(open));
  context.ui.open_next = std::move(open);
  context.ui.dialog = Dialog::ConfirmOpen;
}

void open_model(ActionContext context, std::string path) { open_model(context, OpenModel{.path = std::move(path)}); }

void ask_preview(ActionContext context, std::string path, std::string config) {
  UiState& ui = context.ui;
  ui.dialog = Dialog::Open;
  ui.open.path = path;
  ui.open.config = config;
  ui.open.asked = {.path = std::move(path), .config = std::move(config)};
  if (!ui.open.path.empty()) context.commands.post(ui.open.asked);
}

void export_to(ActionContext context, std::string folder) {
  UiState& ui = context.ui;
  ui.dialog = Dialog::Export;
  if (why_not_export(context) != nullptr) return;
  ui.export_job = context.commands.post(
      ExportModel{.form = ui.export_form.form, .path = std::move(folder), .dtype = ui.export_form.dtype});
}

void open_model_at_once(ActionContext context, OpenModel open) {
  for (const JobView& job : context.session.jobs)
    if (!job.has_ended()) context.commands.cancel(job.id);
  context.ui.opening = {open.path, open.config};
  context.ui.open_job = context.commands.post(std::move(open));
}

void convert_plan(ActionContext context) {
  if (why_not_convert(context) != nullptr) return;
  context.ui.convert_job = context.commands.post(Convert{context.ui.plan.plan()});
}

void start_training(ActionContext context) {
  if (why_not_train(context) != nullptr) return;
  context.ui.train_job = context.commands.post(Train{.settings = context.ui.train, .teacher = {}});
}

void write_text(ActionContext context) {
  UiState& ui = context.ui;
  if (why_not_write(context) != nullptr) return;
  ui.generate_job = context.commands.post(Generate{.settings = ui.generate});
  const bool compare = ui.compare && context.session.model->differs_from_original;
  ui.original_job = compare ? context.commands.post(Generate{.settings = ui.generate, .original = true}) : 0;
}

bool is_writing(const Session& session, const UiState& ui) {
  return is_pending(session, ui.generate_job) || is_pending(session, ui.original_job);
}

void stop_writing(ActionContext context) {
  for (const JobId job : {context.ui.generate_job, context.ui.original_job})
    if (is_pending(context.session, job)) context.commands.cancel(job);
}

void undo(ActionContext context) {
  UiState& ui = context.ui;
  if (ui.plan.can_undo()) {
    tell(ui, "Undone: " + ui.plan.undo_name());
    ui.plan.undo();
  } else if (context.session.model && !context.session.model->undo.empty()) {
    ui.undo_job = context.commands.post(Undo{});
  }
}

void redo(ActionContext context) {
  UiState& ui = context.ui;
  if (ui.plan.can_redo()) {
    tell(ui, "Done again: " + ui.plan.redo_name());
    ui.plan.redo();
  } else if (context.session.model && !context.session.model->redo.empty()) {
    ui.redo_job = context.commands.post(Redo{});
  }
}

void toggle_selected(ActionContext context, LayerPart part) {
  UiState& ui = context.ui;
  if (!context.session.model) return;
  const ModelConfig& config = context.session.model->config;
  // The key acts on the layers of the selection, so that one selected column is enough for both keys.
  std::set<Cell> cells;
  for (const Cell& cell : ui.selection.cells) cells.insert({cell.layer, part});
  const std::size_t converted = std::erase_if(cells, [&](const Cell& cell) { return is_converted(config, cell); });
  if (cells.empty()) {
    tell(ui, converted > 0 ? "Already converted; Undo takes a conversion back" : "Select layers on the board first");
    return;
  }
  const bool all = std::ranges::all_of(cells, [&](const Cell& cell) { return is_planned(ui.plan.plan(), cell); });
  ConversionPlan plan = ui.plan.plan();
  for (const Cell& cell : cells) plan = with_cell(std::move(plan), config, cell, !all);
  const char* kind = part == LayerPart::Attention ? "MLA" : "MoE";
  const std::string name = std::string(all ? "Take " : "Plan ") + std::to_string(cells.size()) + " " + kind +
                           (all ? " out of the plan" : "");
  ui.plan.edit(name, std::move(plan));
  tell(ui, name);
}

void load_recipe(ActionContext context, const Recipe& recipe) {
  UiState& ui = context.ui;
  // A plan belongs to a model; the one that opens next takes it.
  if (!context.session.model || is_pending(context.session, ui.open_job)) {
    ui.waiting_plan = recipe;
    tell(ui, "Recipe " + recipe.name + " waits for a model: open one and it becomes the plan");
    return;
  }
  ui.plan.edit("Load recipe " + recipe.name, recipe.plan);
  tell(ui, "Recipe " + recipe.name + " is the plan now");
}

}  // namespace lathe
