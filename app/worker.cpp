#include "app/worker.h"

#include <chrono>

namespace lathe {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Pictures with equal keys replace each other.
struct PictureKey {
  std::size_t kind = 0;
  std::int64_t layer = 0;
  bool operator==(const PictureKey&) const = default;
};

PictureKey key_of(const Snapshot& picture) {
  return {picture.index(), std::visit([](const auto& value) { return value->layer; }, picture)};
}

/// Reports at most 30 times a second, but always a stage's first and last.
class ProgressGate {
 public:
  bool open(const Progress& progress) {
    const auto now = Clock::now();
    const bool pass =
        progress.stage != stage_ || progress.done == progress.total || now - last_ >= std::chrono::milliseconds(33);
    if (!pass) return false;
    stage_ = progress.stage;
    last_ = now;
    return true;
  }

 private:
  std::string stage_;
  Clock::time_point last_;
};

}  // namespace

Worker::Worker(std::function<std::unique_ptr<Engine>()> make_engine, std::function<void()> wake)
    : wake_(std::move(wake)),
      thread_([this, make_engine = std::move(make_engine)](std::stop_token stop) { run(stop, make_engine); }) {}

Worker::~Worker() {
  thread_.request_stop();
  {
    std::lock_guard lock(mutex_);
    for (auto& [job, stop] : stops_) stop.request_stop();
  }
  events_.close();
}

void Worker::post(Command command) {
  if (const auto* cancelled = std::get_if<CancelJob>(&command.what)) return cancel(cancelled->job);
  {
    std::lock_guard lock(mutex_);
    if (const auto* set = std::get_if<SetWatches>(&command.what)) {
      watches_ = set->watches;
      // Only the newest matters: a queued one would draw what nobody looks at any more.
      std::erase_if(queue_,
                    [](const Queued& queued) { return std::holds_alternative<SetWatches>(queued.command.what); });
    }
    Queued queued{std::move(command), {}};
    stops_[queued.command.job] = queued.stop;
    queue_.push_back(std::move(queued));
  }
  queue_filled_.notify_one();
}

void Worker::cancel(JobId job) {
  std::lock_guard lock(mutex_);
  if (const auto found = stops_.find(job); found != stops_.end()) found->second.request_stop();
}

std::vector<Snapshot> Worker::pictures() {
  std::lock_guard lock(mutex_);
  return std::exchange(pictures_, {});
}

std::vector<Watch> Worker::watches() const {
  std::lock_guard lock(mutex_);
  return watches_;
}

void Worker::run(std::stop_token stop, const std::function<std::unique_ptr<Engine>()>& make_engine) {
  std::unique_ptr<Engine> engine;
  try {
    engine = make_engine();
  } catch (const std::exception& error) {
    send({.job = 0, .what = LogLine{LogLevel::Error, error.what()}});
    events_.close();
    return;
  }
  Queued queued;
  while (next(stop, queued)) {
    run_job(*engine, queued);
    std::lock_guard lock(mutex_);
    stops_.erase(queued.command.job);
  }
}

bool Worker::next(std::stop_token stop, Queued& taken) {
  std::unique_lock lock(mutex_);
  if (!queue_filled_.wait(lock, stop, [this] { return !queue_.empty(); })) return false;
  taken = std::move(queue_.front());
  queue_.pop_front();
  return !stop.stop_requested();
}

void Worker::run_job(Engine& engine, const Queued& queued) {
  const JobId id = queued.command.job;
  const auto start = Clock::now();
  ProgressGate gate;
  const Job job(queued.stop.get_token(), [&](const Progress& progress) {
    if (gate.open(progress)) send({.job = id, .what = JobProgress{progress, seconds_since(start)}});
  });
  const Outbox outbox{.event =
                          [&](Event event) {
                            event.job = id;
                            send(std::move(event));
                          },
                      .picture = [this](Snapshot picture) { publish(std::move(picture)); },
                      .watches = [this] { return watches(); }};

  // Drawing what the window shows is no job of the user's: only its failure is worth a line.
  const bool quiet = std::holds_alternative<SetWatches>(queued.command.what);
  if (!quiet) send({.job = id, .what = JobStarted{title_of(queued.command)}});
  JobEnded ended;
  try {
    job.check();
    engine.run(queued.command, job, outbox);
  } catch (const Cancelled&) {
    ended.outcome = JobOutcome::Cancelled;
  } catch (const std::exception& error) {
    ended.outcome = JobOutcome::Failed;
    ended.message = error.what();
  }
  ended.seconds = seconds_since(start);
  if (quiet && ended.outcome == JobOutcome::Failed) {
    send({.job = 0, .what = LogLine{LogLevel::Warning, ended.message}});
  }
  send({.job = id, .what = std::move(ended)});
}

void Worker::send(Event event) {
  events_.send(std::move(event));
  wake_();
}

void Worker::publish(Snapshot picture) {
  {
    std::lock_guard lock(mutex_);
    std::erase_if(pictures_, [&](const Snapshot& older) { return key_of(older) == key_of(picture); });
    pictures_.push_back(std::move(picture));
  }
  wake_();
}

}  // namespace lathe
