#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/io/dtype.h"

namespace lathe {

/// A tensor as the header of a safetensors file describes it; offsets count from the end of the header.
struct SafetensorsItem {
  std::string name;
  DType dtype = DType::F32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsItem> items;  ///< in the header's order
  std::map<std::string, std::string> metadata;
  std::vector<std::string> warnings;
};

/// Parses the JSON of a safetensors header, which must be UTF-8 without NUL, and checks its form: names, fields, types,
/// limits. Offsets are checked by the caller, who knows the file's size.  Throws Error.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::string_view path);

}  // namespace lathe
