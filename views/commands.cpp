#include "views/commands.h"

namespace lathe {

void Commands::ask(Request request) { requests_.push_back({0, std::move(request)}); }

void Commands::ask_after(int frames, Request request) { requests_.push_back({frames, std::move(request)}); }

std::vector<Request> Commands::take_requests() {
  std::vector<Request> due;
  std::erase_if(requests_, [&due](Waiting& waiting) {
    if (waiting.frames-- > 0) return false;
    due.push_back(std::move(waiting.request));
    return true;
  });
  return due;
}

}  // namespace lathe
