#include "app/cli/client.h"

#include <unistd.h>

#include <cstdio>
#include <optional>

#include "app/cli/interrupt.h"
#include "app/torch_engine.h"

namespace lathe {
Client::Client(const CliOptions& options)
    : options_(options),
      worker_([threads = options.threads] { return make_torch_engine({.threads = threads}); }, [] {}) {
  catch_interrupts();
}

void Client::run(Command command, const std::function<void(const Event&)>& on_event) {
  if (command.job == 0) command.job = new_job();
  const JobId job = command.job;
  worker_.post(std::move(command));
  std::optional<JobEnded> ended;
  bool cancelled = false;
  while (!ended) {
    if (interrupted() && !std::exchange(cancelled, true)) worker_.post({.job = 0, .what = CancelJob{job}});
    const auto events = worker_.wait_events(std::chrono::milliseconds(100));
    for (const Event& event : events) {
      if (const auto* progress = std::get_if<JobProgress>(&event.what)) show(*progress);
      if (const auto* end = std::get_if<JobEnded>(&event.what)) ended = *end;
      // What only informs is for the window's log.
      if (const auto* line = std::get_if<LogLine>(&event.what); line && line->level != LogLevel::Info) {
        clear_line();
        std::fprintf(stderr, "%s\n", line->text.c_str());
        check(event.job != 0 || line->level != LogLevel::Error, "the engine did not start: ", line->text);
      }
      if (on_event) on_event(event);
    }
  }
  clear_line();
  if (ended->outcome == JobOutcome::Cancelled) throw Cancelled();
  if (ended->outcome == JobOutcome::Failed) throw Error(ended->error);
}

ModelInfo Client::open(const std::string& model) {
  ModelInfo info;
  const OpenModel open{
      .path = model, .device = options_.device, .dtype = options_.dtype, .config = options_.config};
  run({.job = 0, .what = open}, [&info](const Event& event) {
    if (const auto* changed = std::get_if<ModelChanged>(&event.what)) info = changed->info;
  });
  return info;
}

void Client::show(const JobProgress& job) {
  if (options_.quiet || isatty(STDERR_FILENO) == 0) return;
  const Progress& progress = job.progress;
  std::fprintf(stderr, "\r\033[K%s  %lld / %lld %s  %.1f s", progress.stage.c_str(),
               static_cast<long long>(progress.done), static_cast<long long>(progress.total), progress.unit.c_str(),
               job.seconds);
  line_shown_ = true;
}

void Client::clear_line() {
  if (std::exchange(line_shown_, false)) std::fputs("\r\033[K", stderr);
}

}  // namespace lathe
