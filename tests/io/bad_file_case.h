#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace lathe {

/// One named file and a part of the message that it must get; an empty part means that it must open.
struct BadFileCase {
  std::string name;
  std::string bytes;
  std::string message;
};

inline void PrintTo(const BadFileCase& bad_file, std::ostream* out) { *out << bad_file.name; }

inline std::string case_name(const testing::TestParamInfo<BadFileCase>& info) { return info.param.name; }

}  // namespace lathe
