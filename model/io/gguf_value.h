#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "model/io/gguf_cursor.h"

namespace lathe {

/// Types of GGUF metadata values. The numbers are those of the format.
enum class GgufValueType : std::uint32_t { U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64 };

/// One metadata value, widened: signed integers and bools to int64, unsigned to uint64, floats to double.
/// `type` is what the file says; of an array, `element_type` too. Strings point into the mapped file.
struct GgufValue {
  GgufValueType type = GgufValueType::U8;
  GgufValueType element_type = GgufValueType::U8;
  std::variant<std::int64_t, std::uint64_t, double, std::string_view, std::vector<std::int64_t>,
               std::vector<std::uint64_t>, std::vector<double>, std::vector<std::string_view>>
      value;
};

/// "u32", for messages.
std::string_view gguf_type_name(GgufValueType type);

/// Reads the value of `key`, type first. Throws Error for unknown types, nested arrays and bools that are neither.
GgufValue take_gguf_value(GgufCursor& cursor, std::string_view key);

}  // namespace lathe
