#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "app/engine.h"
#include "model/data/channel.h"

namespace lathe {

/// The one thread that owns the engine. Commands go down, events and pictures come up; nothing is shared.
/// post(), events() and pictures() belong to the client's thread and never wait for the engine.
class Worker {
 public:
  /// `make_engine` runs on the worker's thread, so that slow start-up (loading CUDA) never delays a window.
  /// `wake` is called from the worker's thread after each event or picture.
  Worker(std::function<std::unique_ptr<Engine>()> make_engine, std::function<void()> wake);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Queues a command. CancelJob and SetWatches take effect at once, also on the job that runs. Drawing what is watched
  /// makes way for jobs and goes on after them.
  void post(Command command);

  /// All events since the last call, in order.
  std::vector<Event> events() { return events_.drain(); }

  /// The same, but waits up to `limit` for the first one.
  std::vector<Event> wait_events(std::chrono::milliseconds limit) { return events_.wait(limit); }

  /// The newest picture of each kind, layer and head since the last call.
  std::vector<Snapshot> pictures();

 private:
  struct Queued {
    Command command;
    std::stop_source stop;
  };

  void run(std::stop_token stop, const std::function<std::unique_ptr<Engine>()>& make_engine);
  void run_job(Engine& engine, const Queued& queued);
  JobEnded run_engine(Engine& engine, const Queued& queued);
  /// Takes the next command, and knows it as the one that runs. False when the worker is to end.
  bool next(std::stop_token stop);
  /// True if the drawing that just ended was stopped for a job and waits again.
  bool waits_again(const Queued& queued);
  void send(Event event);
  void publish(Snapshot picture);
  void cancel(JobId job);
  std::vector<Watch> watches() const;

  std::function<void()> wake_;
  Channel<Event> events_;

  mutable std::mutex mutex_;
  std::condition_variable_any queue_filled_;
  std::deque<Queued> queue_;
  std::optional<Queued> running_;
  std::vector<Watch> watches_;
  std::vector<Snapshot> pictures_;

  std::jthread thread_;  ///< last: starts when all else is ready, ends first
};

}  // namespace lathe
