#include "app/line_process.h"

#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "model/data/error.h"

namespace lathe {

LineProcess::LineProcess(const std::vector<std::string>& command) : name_(command.front()) {
  // A socket pair, unlike a pipe, can be written to without SIGPIPE once the child is gone.
  std::array<int, 2> ends{};
  check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0, "[process] cannot talk to ", name_, ": ",
        std::strerror(errno));
  std::vector<char*> arguments;
  for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  const int failure = posix_spawn(&pid_, name_.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failure != 0) {
    close(ends[0]);
    throw Error(text("[process] cannot start ", name_, ": ", std::strerror(failure)));
  }
  socket_ = ends[0];
}

LineProcess::~LineProcess() {
  close(socket_);  // ends the child's input
  waitpid(pid_, nullptr, 0);
}

std::string LineProcess::ask(const std::string& line) {
  const std::string sent = line + "\n";
  for (std::size_t done = 0; done < sent.size();) {
    const ssize_t count = send(socket_, sent.data() + done, sent.size() - done, MSG_NOSIGNAL);
    check(count > 0, "[process] ", name_, " ended before it was done; its message is above");
    done += static_cast<std::size_t>(count);
  }
  std::array<char, 4096> buffer{};
  while (received_.find('\n') == std::string::npos) {
    const ssize_t count = recv(socket_, buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    check(count > 0, "[process] ", name_, " ended before it was done; its message is above");
    received_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  const std::size_t end = received_.find('\n');
  const std::string answer = received_.substr(0, end);
  received_.erase(0, end + 1);
  return answer;
}

}  // namespace lathe
