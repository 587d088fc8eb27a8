#pragma once

#include <stop_token>
#include <thread>

namespace lathe {

/// From now on Ctrl+C and SIGTERM no longer end the program: interrupted() tells of them instead.
void catch_interrupts();
bool interrupted();

/// Requests a stop when the program is interrupted: for work that runs on the main thread, where nobody else looks.
class StopWhenInterrupted {
 public:
  StopWhenInterrupted();
  std::stop_token token() const { return stop_.get_token(); }

 private:
  std::stop_source stop_;
  std::jthread watcher_;  ///< last: ends first
};

}  // namespace lathe
