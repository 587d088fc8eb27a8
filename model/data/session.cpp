#include "model/data/session.h"

#include <algorithm>
#include <ranges>

namespace lathe {
namespace {

JobView* find_job(Session& session, JobId id) {
  const auto found = std::ranges::find(session.jobs, id, &JobView::id);
  return found == session.jobs.end() ? nullptr : &*found;
}

/// One overload per kind of event; `job` is the event's.
struct Reduce {
  Session& session;
  JobId job;

  void operator()(const JobStarted& started) const {
    if (JobView* view = find_job(session, job)) {
      view->waiting = false;
      view->running = true;
    } else {
      session.jobs.push_back({.id = job, .title = started.title, .progress = {}, .message = {}});
    }
  }
  void operator()(const JobProgress& progress) const {
    if (JobView* view = find_job(session, job)) {
      view->progress = progress.progress;
      view->seconds = progress.seconds;
    }
  }
  void operator()(const JobEnded& ended) const {
    if (session.drawing == job) session.drawing = 0;
    if (session.previewing == job) session.previewing = 0;
    JobView* view = find_job(session, job);
    if (view == nullptr) return;
    view->waiting = view->running = false;
    view->outcome = ended.outcome;
    view->message = ended.message;
    view->error = ended.error;
    view->seconds = ended.seconds;
    session.converting.clear();
    session.converting_receipts.clear();
    if (ended.outcome == JobOutcome::Failed) log(LogLevel::Error, view->title + " failed: " + ended.message);
  }
  void operator()(const ModelChanged& changed) const {
    // Nothing to undo or redo: it was opened just now, perhaps once more.
    const bool opened = changed.info.undo.empty() && changed.info.redo.empty();
    session.model = changed.info;
    session.attention = nullptr;
    session.tensor = nullptr;
    session.router_choices.clear();
    session.live_latents.clear();
    session.evaluated.reset();
    if (opened) forget_results();
    session.receipt = changed.receipt;
  }
  void operator()(const LayerConverted& converted) const {
    session.converting[converted.receipt.layer] = converted.config;
    session.converting_receipts.push_back(converted.receipt);
  }
  void operator()(const Converted& converted) const { session.receipt = converted.receipt; }
  void operator()(const TrainStep& step) const {
    TrainCurves& train = curves_of_job();
    train.steps = step.steps;
    train.skipped += step.skipped ? 1 : 0;
    train.loss.append(step.loss);
    train.next_token.append(step.next_token);
    train.balance.append(step.balance);
    train.kl.append(step.kl);
    train.lr.append(step.lr);
    train.grad_norm.append(step.grad_norm);
    train.tokens_per_second.append(static_cast<float>(step.tokens_per_second));
    for (const RouterLoad& router : step.routers) {
      RouterHistory& history = train.routers[router.layer];
      history.load.push_back(router.load);
      history.entropy.append(router.entropy);
      history.max_violation.append(router.max_violation);
      history.dead.append(static_cast<float>(router.dead));
      history.balance.append(router.balance);
    }
  }
  void operator()(const HeldOut& held_out) const { curves_of_job().held_out.push_back(held_out); }
  void operator()(const TokenWritten& written) const {
    Writing& writing = writing_of_job();
    if (written.choice.token.id >= 0) writing.tokens.push_back(written.choice);  // else held-back text alone
    writing.text += written.text;
  }
  void operator()(const Generated& generated) const {
    Writing& writing = writing_of_job();
    writing.text = generated.text;
    writing.result = generated;
  }
  void operator()(const Evaluated& evaluated) const { session.evaluated = evaluated; }
  void operator()(const Saved& saved) const {
    session.saved = saved;
    if (session.model) session.model->saved = true;
    log(LogLevel::Info, "Saved to " + saved.folder);
  }
  void operator()(const Exported& exported) const {
    session.exported = exported;
    log(LogLevel::Info, "Exported as " + exported.form + " to " + exported.path);
  }
  void operator()(const LogLine& line) const { session.log.push_back(line); }
  void operator()(const MemoryUse& memory) const { session.memory = memory; }

  void log(LogLevel level, std::string line) const { session.log.push_back({level, std::move(line)}); }
  void forget_results() const {
    session.train = {};
    session.writing = {};
    session.writing_original = {};
    session.saved.reset();
    session.exported.reset();
  }
  /// Those of the run before make way only now: a run that fails before its first figure leaves them.
  TrainCurves& curves_of_job() const {
    if (session.posted_run.job == job && job != 0) {
      session.train = {};
      session.train.run = job;
      session.train.steps = session.posted_run.steps;
      session.posted_run = {};
    }
    return session.train;
  }
  Writing& writing_of_job() const {
    return session.writing_original.job == job ? session.writing_original : session.writing;
  }
};

}  // namespace

const JobView* Session::running_job() const {
  const auto found = std::ranges::find(jobs, true, &JobView::running);
  return found == jobs.end() ? nullptr : &*found;
}

const JobView* Session::next_job() const {
  const auto found = std::ranges::find(jobs, false, &JobView::has_ended);
  return found == jobs.end() ? nullptr : &*found;
}

void reduce(Session& session, const Event& event) { std::visit(Reduce{session, event.job}, event.what); }

void reduce(Session& session, const Snapshot& snapshot) {
  if (const auto* map = std::get_if<std::shared_ptr<const AttentionMap>>(&snapshot)) {
    session.attention = *map;
  } else if (const auto* choices = std::get_if<std::shared_ptr<const RouterChoices>>(&snapshot)) {
    session.router_choices[(*choices)->layer] = *choices;
  } else if (const auto* latent = std::get_if<std::shared_ptr<const LiveLatent>>(&snapshot)) {
    session.live_latents[(*latent)->layer] = *latent;
  } else if (const auto* tensor = std::get_if<std::shared_ptr<const TensorPicture>>(&snapshot)) {
    session.tensor = *tensor;
  } else if (const auto* preview = std::get_if<std::shared_ptr<const ModelPreview>>(&snapshot)) {
    session.preview = *preview;
  }
}

void reduce(Session& session, const Command& posted) {
  if (is_job(posted)) {
    session.jobs.push_back({.id = posted.job,
                            .title = title_of(posted),
                            .progress = {},
                            .waiting = true,
                            .running = false,
                            .message = {}});
  }
  if (const auto* generate = std::get_if<Generate>(&posted.what)) {
    Writing& writing = generate->original ? session.writing_original : session.writing;
    writing = {.job = posted.job, .prompt = generate->settings.prompt, .tokens = {}, .text = {}, .result = {}};
  } else if (const auto* train = std::get_if<Train>(&posted.what); train && !train->resume) {
    session.posted_run = {.job = posted.job, .steps = train->settings.steps};
  } else if (std::holds_alternative<SetWatches>(posted.what)) {
    session.drawing = posted.job;
  } else if (std::holds_alternative<PreviewModel>(posted.what)) {
    session.previewing = posted.job;
  }
}

}  // namespace lathe
