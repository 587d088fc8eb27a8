#pragma once

#include <string>
#include <vector>

namespace lathe {

/// What happens to the `at_call`-th (from 1) of the system calls that change files: the call fails with errno `reason`,
/// or the process dies instead of it, a write after some of its bytes.
struct Fault {
  enum class Kind { None, Fail, Kill };
  Kind kind = Kind::None;
  int at_call = 0;
  int reason = 0;
};

/// A call as it was made; `path` is also known for calls on a descriptor.
struct SystemCall {
  std::string name;
  std::string path;
  std::string to{};  ///< of rename
  bool failed = false;
};

/// Watches this process's open, write, fsync, rename ... from its making to its end, and plays `fault` on them. One at
/// a time. This program's own definitions of these functions stand before those of the C library. A watched fsync is
/// recorded and not made: a process that dies takes nothing with it that the system was given.
class CallWatch {
 public:
  explicit CallWatch(Fault fault = {});
  ~CallWatch();
  CallWatch(const CallWatch&) = delete;
  CallWatch& operator=(const CallWatch&) = delete;

  const std::vector<SystemCall>& calls() const { return calls_; }

  /// Whether there were so many calls that the fault was played.
  bool reached() const { return static_cast<int>(calls_.size()) >= fault_.at_call; }

 private:
  friend struct Calls;
  Fault fault_;
  std::vector<SystemCall> calls_;
};

/// While it is true, renameat2 cannot exchange two names, as on many network file systems.
extern bool exchange_is_missing;

}  // namespace lathe
