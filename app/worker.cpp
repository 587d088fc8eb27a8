#include "app/worker.h"

#include <algorithm>
#include <chrono>

namespace lathe {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kBetweenSamples = std::chrono::seconds(1);  // of memory

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Pictures with equal keys replace each other.
struct PictureKey {
  std::size_t kind = 0;
  std::int64_t layer = 0;
  bool operator==(const PictureKey&) const = default;
};

PictureKey key_of(const Snapshot& picture) {
  const auto layer_of = [](const auto& value) {
    if constexpr (requires { value->layer; }) return value->layer;
    return std::int64_t{0};
  };
  return {picture.index(), std::visit(layer_of, picture)};
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

/// Stands in for an engine that could not be made: every job says why.
class NoEngine : public Engine {
 public:
  explicit NoEngine(std::string why) : why_(std::move(why)) {}
  void run(const Command&, const Job&, const Outbox&) override { throw Error("the engine did not start: " + why_); }

 private:
  std::string why_;
};

constexpr auto is_preview = [](const auto& queued) {
  return std::holds_alternative<PreviewModel>(queued.command.what);
};
constexpr auto is_drawing = [](const auto& queued) { return std::holds_alternative<SetWatches>(queued.command.what); };

}  // namespace

Worker::Worker(std::function<std::unique_ptr<Engine>()> make_engine, std::function<void()> wake)
    : wake_(std::move(wake)),
      thread_([this, make_engine = std::move(make_engine)](std::stop_token stop) { run(stop, make_engine); }) {}

Worker::~Worker() {
  thread_.request_stop();
  {
    std::lock_guard lock(mutex_);
    queue_.clear();
    if (running_) running_->stop.request_stop();
  }
  events_.close();
}

void Worker::post(Command command) {
  if (const auto* cancelled = std::get_if<CancelJob>(&command.what)) return cancel(cancelled->job);
  {
    std::lock_guard lock(mutex_);
    if (const auto* set = std::get_if<SetWatches>(&command.what)) {
      watches_ = set->watches;
      // Only the newest matters: an older one would draw what nobody looks at any more.
      std::erase_if(queue_, is_drawing);
    }
    if (std::holds_alternative<PreviewModel>(command.what)) {
      std::erase_if(queue_, is_preview);
      if (running_ && is_preview(*running_)) running_->stop.request_stop();
    }
    if (running_ && is_drawing(*running_)) running_->stop.request_stop();
    queue_.push_back({std::move(command), {}});
  }
  queue_filled_.notify_one();
}

void Worker::cancel(JobId job) {
  std::lock_guard lock(mutex_);
  if (running_ && running_->command.job == job) running_->stop.request_stop();
  for (Queued& queued : queue_) {
    if (queued.command.job == job) queued.stop.request_stop();
  }
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
    engine = std::make_unique<NoEngine>(error.what());
  }
  while (next(stop)) {
    run_job(*engine, *running_);
    std::lock_guard lock(mutex_);
    running_.reset();
  }
}

bool Worker::next(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  if (!queue_filled_.wait(lock, stop, [this] { return !queue_.empty(); })) return false;
  auto first = std::ranges::find_if_not(queue_, is_drawing);
  if (first == queue_.end()) first = queue_.begin();
  running_ = std::move(*first);
  queue_.erase(first);
  return !stop.stop_requested();
}

void Worker::run_job(Engine& engine, const Queued& queued) {
  // Drawing what the window shows and looking at files are no jobs of the user's: only their failure is worth a line.
  const bool quiet = !is_job(queued.command);
  const JobId id = queued.command.job;
  if (!quiet) send({.job = id, .what = JobStarted{title_of(queued.command)}});
  JobEnded ended = run_engine(engine, queued);
  if (is_drawing(queued) && ended.outcome == JobOutcome::Cancelled && waits_again(queued)) return;
  if (quiet && ended.outcome == JobOutcome::Failed) {
    send({.job = 0, .what = LogLine{LogLevel::Warning, ended.message}});
  }
  send({.job = id, .what = std::move(ended)});
}

JobEnded Worker::run_engine(Engine& engine, const Queued& queued) {
  const JobId id = queued.command.job;
  const auto start = Clock::now();
  ProgressGate gate;
  auto next_sample = start + kBetweenSamples;
  const auto sample_memory = [&] {
    next_sample = Clock::now() + kBetweenSamples;
    if (const MemoryUse memory = engine.memory_use(); memory.host_bytes > 0) send({.job = id, .what = memory});
  };
  const Job job(queued.stop.get_token(), [&](const Progress& progress) {
    if (gate.open(progress)) send({.job = id, .what = JobProgress{progress, seconds_since(start)}});
    if (Clock::now() >= next_sample) sample_memory();
  });
  const Outbox outbox{.event =
                          [&](Event event) {
                            event.job = id;
                            send(std::move(event));
                          },
                      .picture = [this](Snapshot picture) { publish(std::move(picture)); },
                      .watches = [this] { return watches(); }};
  JobEnded ended;
  try {
    job.check();
    engine.run(queued.command, job, outbox);
    sample_memory();
  } catch (const Cancelled&) {
    ended.outcome = JobOutcome::Cancelled;
  } catch (const Error& error) {
    ended = {.outcome = JobOutcome::Failed, .message = error.what(), .error = error.parts()};
  } catch (const std::exception& error) {
    ended = {.outcome = JobOutcome::Failed, .message = error.what(), .error = {.what = error.what()}};
  }
  ended.seconds = seconds_since(start);
  return ended;
}

bool Worker::waits_again(const Queued& queued) {
  std::lock_guard lock(mutex_);
  if (std::ranges::any_of(queue_, is_drawing)) return false;
  queue_.push_back({queued.command, {}});
  return true;
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
