#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

/// Ends the test as skipped where the reference packages are not installed.
#define LATHE_NEEDS_PYTHON()                  \
  if (!std::filesystem::exists(LATHE_PYTHON)) \
  GTEST_SKIP() << "no Python with the reference packages at " << LATHE_PYTHON

namespace lathe::test {

/// Runs tests/converters/`script` with `input` as JSON on its stdin and returns the JSON of its stdout.
inline nlohmann::json run_reference(const std::string& script, const nlohmann::json& input) {
  const auto file = std::filesystem::temp_directory_path() / ("lathe_converters_" + std::to_string(getpid()) + ".json");
  std::ofstream(file) << input.dump();
  const std::string command = std::string("OMP_NUM_THREADS=1 '") + LATHE_PYTHON + "' '" + LATHE_SOURCE_DIR +
                              "/tests/converters/" + script + "' < '" + file.string() + "'";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 65536> buffer{};
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), count);
  const int status = pclose(pipe);
  std::filesystem::remove(file);
  if (status != 0) throw std::runtime_error(script + " failed; its message is above");
  return nlohmann::json::parse(output);
}

}  // namespace lathe::test
