#include "app/script.h"

#include <algorithm>
#include <array>
#include <fstream>

#include "model/data/error.h"

namespace lathe {
namespace {

constexpr std::array kVerbs{"open", "recipe", "prompt", "steps", "save", "action", "wait", "wait-steps", "screenshot"};
constexpr int kFramesToSettle = 6;  // docking, fonts and hover need a few

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::int64_t number_of(const std::string& text) {
  const bool digits = !text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == std::string::npos;
  check(digits, "expected a whole number; got '", text, "'");
  return std::stoll(text);
}

}  // namespace

Script Script::read(const std::filesystem::path& path) {
  std::ifstream file(path);
  check(file.good(), "cannot read the script; check that it exists and may be read: ", path.string());
  Script script;
  script.path_ = path;
  int number = 0;
  for (std::string raw; std::getline(file, raw);) {
    ++number;
    const std::string line = trimmed(raw.substr(0, raw.find('#')));
    if (line.empty()) continue;
    const auto space = line.find(' ');
    Step step{number, line.substr(0, space), space == std::string::npos ? "" : trimmed(line.substr(space))};
    check(std::ranges::find(kVerbs, step.verb) != kVerbs.end(), "line ", number, ": '", step.verb,
          "' is no step; file: ", path.string());
    script.steps_.push_back(std::move(step));
  }
  return script;
}

void Script::play(ActionContext context) {
  ++frames_;
  if (frames_ < kFramesToSettle || is_done() || !screenshot_.empty()) return;
  const Step& step = steps_[next_];
  try {
    if (!run(step, context)) return;
  } catch (const Error& error) {
    throw Error(text("script line ", step.line, " (", step.verb, " ", step.argument, "): ", error.what(),
                     "; file: ", path_.string()));
  }
  ++next_;
  frames_ = 0;
}

bool Script::run(const Step& step, ActionContext& context) {
  UiState& ui = context.ui;
  if (step.verb == "open") {
    open_model_at_once(context, {.path = step.argument});
  } else if (step.verb == "recipe") {
    const auto found = std::ranges::find(ui.recipes, step.argument, &Recipe::name);
    check(found != ui.recipes.end(), "there is no recipe of this name");
    load_recipe(context, *found);
  } else if (step.verb == "prompt") {
    ui.generate.prompt = step.argument;
  } else if (step.verb == "steps") {
    ui.train.steps = number_of(step.argument);
  } else if (step.verb == "save") {
    context.commands.post(SaveModel{step.argument});
  } else if (step.verb == "action") {
    check(find_action(step.argument) != nullptr, "there is no action of this name");
    check(run_action(step.argument, context), "the action is not enabled now");
  } else if (step.verb == "wait") {
    return wait_for_jobs(context);
  } else if (step.verb == "wait-steps") {
    const TrainCurves& train = context.session.train;
    return train.run == ui.train_job && static_cast<std::int64_t>(train.loss.size()) >= number_of(step.argument);
  } else {
    screenshot_ = step.argument;
  }
  return true;
}

bool Script::wait_for_jobs(const ActionContext& context) const {
  for (const JobView& job : context.session.jobs) {
    check(!job.has_ended() || job.outcome != JobOutcome::Failed, job.title, " failed: ", job.message);
  }
  return !is_busy(context.session) && context.session.drawing == 0;
}

std::string Script::take_screenshot() { return std::exchange(screenshot_, {}); }

}  // namespace lathe
