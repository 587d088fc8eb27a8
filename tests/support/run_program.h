#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

namespace lathe {

/// What a program printed on stdout and how it ended.
struct ProgramResult {
  int status = 0;  ///< exit status; 128 + signal if a signal ended it
  std::string out;
};

/// Runs a shell command line to its end.
inline ProgramResult run_program(const std::string& command_line) {
  ProgramResult result;
  std::FILE* pipe = popen(command_line.c_str(), "r");
  if (pipe == nullptr) return {.status = -1, .out = {}};
  std::array<char, 4096> chunk{};
  for (std::size_t read = 0; (read = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0;) {
    result.out.append(chunk.data(), read);
  }
  const int status = pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace lathe
