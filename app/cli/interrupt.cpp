#include "app/cli/interrupt.h"

#include <chrono>
#include <csignal>

namespace lathe {
namespace {

volatile std::sig_atomic_t was_interrupted = 0;

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, [](int) { was_interrupted = 1; });
  std::signal(SIGTERM, [](int) { was_interrupted = 1; });
}

bool interrupted() { return was_interrupted != 0; }

StopWhenInterrupted::StopWhenInterrupted()
    : watcher_([this](std::stop_token done) {
        // A signal handler may not request a stop itself.
        while (!done.stop_requested() && !interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
        if (interrupted()) stop_.request_stop();
      }) {
  catch_interrupts();
}

}  // namespace lathe
