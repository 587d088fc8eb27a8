#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace lathe {

/// A line of states with one of them current. add() drops what could have been redone. States are cheap handles: a
/// converted model shares every layer that was not converted.
template <typename State>
class History {
 public:
  explicit History(State first) { steps_.push_back({"", std::move(first)}); }

  const State& current() const { return steps_[at_].state; }
  const State& first() const { return steps_.front().state; }

  void add(std::string title, State state) {
    steps_.resize(at_ + 1, steps_.front());
    steps_.push_back({std::move(title), std::move(state)});
    ++at_;
  }

  bool can_undo() const { return at_ > 0; }
  bool can_redo() const { return at_ + 1 < steps_.size(); }
  void undo() { --at_; }
  void redo() { ++at_; }

  /// Titles of what undo would take back, last first.
  std::vector<std::string> undo_titles() const {
    std::vector<std::string> titles;
    for (std::size_t i = at_; i > 0; --i) titles.push_back(steps_[i].title);
    return titles;
  }
  /// Titles of what redo would bring back, next first.
  std::vector<std::string> redo_titles() const {
    std::vector<std::string> titles;
    for (std::size_t i = at_ + 1; i < steps_.size(); ++i) titles.push_back(steps_[i].title);
    return titles;
  }

 private:
  struct Step {
    std::string title;
    State state;
  };
  std::vector<Step> steps_;
  std::size_t at_ = 0;
};

}  // namespace lathe
