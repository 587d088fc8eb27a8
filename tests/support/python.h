#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "tests/support/places.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_folder.h"

/// Ends the test as skipped where Python or one of the packages, "numpy gguf", is missing.
#define LATHE_NEEDS_PYTHON(packages) \
  if (const std::string why = lathe::why_no_python(packages); !why.empty()) GTEST_SKIP() << why

namespace lathe {

/// Which of the packages, "numpy gguf", the reference Python lacks, in a sentence; empty if it has all. They are looked
/// up, not imported: that takes seconds, and set-up has seen that torch can be.
inline std::string why_no_python(const std::string& packages) {
  // What has no origin is a folder of that name, such as the one of a LibTorch without Python.
  const ProgramResult result =
      run_program("'" LATHE_PYTHON
                  "' -c 'import sys; from importlib.util import find_spec\n"
                  "print(*[name for name in sys.argv[1:] if not getattr(find_spec(name), \"origin\", None)])' " +
                  packages);
  if (result.status != 0) return "no Python to compare with; ./lathe test sets up " LATHE_PYTHON;
  return result.out == "\n" ? "" : LATHE_PYTHON " has no Python package " + result.out;
}

/// Runs tests/`script` with `input` as JSON on its stdin and returns the JSON of its stdout.
inline nlohmann::json run_python(const std::string& script, const nlohmann::json& input) {
  const TemporaryFolder folder;
  std::ofstream(folder / "input.json") << input.dump();
  const ProgramResult result = run_program("OMP_NUM_THREADS=1 '" LATHE_PYTHON "' '" LATHE_SOURCE_DIR "/tests/" +
                                           script + "' < '" + (folder / "input.json") + "'");
  if (result.status != 0) throw std::runtime_error(script + " failed; its message is above");
  return nlohmann::json::parse(result.out);
}

}  // namespace lathe
