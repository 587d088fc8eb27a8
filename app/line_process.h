#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace lathe {

/// A child process that answers each line on its stdin with one on its stdout; its stderr is ours. Ends with its owner.
class LineProcess {
 public:
  /// command[0] is the program's path. Throws Error if it cannot be started.
  explicit LineProcess(const std::vector<std::string>& command);
  ~LineProcess();
  LineProcess(const LineProcess&) = delete;
  LineProcess& operator=(const LineProcess&) = delete;

  /// Sends the line and waits for the answer. Throws Error if the process ended instead.
  std::string ask(const std::string& line);

 private:
  std::string name_;
  pid_t pid_ = -1;
  int socket_ = -1;
  std::string received_;  // after the last whole line
};

}  // namespace lathe
