#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

namespace lathe {

/// What `tests/io/reference.py` printed, and whether it succeeded.
struct PythonResult {
  bool ok = false;
  std::string output;
};

inline bool has_reference_python() { return std::filesystem::exists(LATHE_PYTHON); }

/// Runs a command of tests/io/`script` with the reference packages.
inline PythonResult run_reference(const std::string& arguments, const std::string& script = "reference.py") {
  const std::string command =
      std::string("'") + LATHE_PYTHON + "' '" + LATHE_SOURCE_DIR + "/tests/io/" + script + "' " + arguments + " 2>&1";
  PythonResult result;
  FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> buffer{};
  while (pipe && std::fgets(buffer.data(), buffer.size(), pipe)) result.output += buffer.data();
  result.ok = pipe && ::pclose(pipe) == 0;
  return result;
}

}  // namespace lathe

/// Ends the test as skipped where the reference packages are not installed.
#define LATHE_NEEDS_REFERENCE_PYTHON() \
  if (!lathe::has_reference_python()) GTEST_SKIP() << "no Python with the reference packages at " << LATHE_PYTHON
