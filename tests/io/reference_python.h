#pragma once

#include <string>

#include "tests/support/places.h"
#include "tests/support/python.h"

namespace lathe {

/// What `tests/io/reference.py` printed, and whether it succeeded.
struct PythonResult {
  bool ok = false;
  std::string output;
};

/// Runs a command of tests/io/`script` with the reference packages.
inline PythonResult run_reference(const std::string& arguments, const std::string& script = "reference.py") {
  const ProgramResult result =
      run_program("'" LATHE_PYTHON "' '" LATHE_SOURCE_DIR "/tests/io/" + script + "' " + arguments + " 2>&1");
  return {.ok = result.status == 0, .output = result.out};
}

}  // namespace lathe
