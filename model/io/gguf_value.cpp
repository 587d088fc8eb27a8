#include "model/io/gguf_value.h"

#include <array>
#include <type_traits>

namespace lathe {

namespace {

constexpr std::array<std::string_view, 13> kNames{"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                  "bool", "string", "array", "u64", "i64", "f64"};

std::uint64_t min_bytes(GgufValueType type) {
  switch (type) {
    case GgufValueType::U8:
    case GgufValueType::I8:
    case GgufValueType::Bool:
      return 1;
    case GgufValueType::U16:
    case GgufValueType::I16:
      return 2;
    case GgufValueType::U32:
    case GgufValueType::I32:
    case GgufValueType::F32:
      return 4;
    default:
      return 8;
  }
}

GgufValueType take_type(GgufCursor& cursor, std::string_view key) {
  const auto number = cursor.take<std::uint32_t>("a value's type");
  if (number >= kNames.size()) {
    cursor.fail(ErrorCode::Schema, "a value's type is unknown", text("type number ", number),
                text("0 to ", kNames.size() - 1), text("\"", key, "\""));
  }
  return static_cast<GgufValueType>(number);
}

std::int64_t take_bool(GgufCursor& cursor) {
  const auto byte = cursor.take<std::uint8_t>("a bool");
  if (byte > 1) cursor.fail(ErrorCode::Schema, "a bool is not one", text(int{byte}), "0 or 1");
  return byte;
}

/// Calls `use` with a function that takes the next value of `type`, widened; one place knows the widths.
template <typename Use>
auto with_taker(GgufValueType type, GgufCursor& cursor, const Use& use) {
  using Type = GgufValueType;
  using I = std::int64_t;
  using U = std::uint64_t;
  switch (type) {
    case Type::U8:
      return use([&] { return U{cursor.take<std::uint8_t>("a u8")}; });
    case Type::I8:
      return use([&] { return I{cursor.take<std::int8_t>("an i8")}; });
    case Type::U16:
      return use([&] { return U{cursor.take<std::uint16_t>("a u16")}; });
    case Type::I16:
      return use([&] { return I{cursor.take<std::int16_t>("an i16")}; });
    case Type::U32:
      return use([&] { return U{cursor.take<std::uint32_t>("a u32")}; });
    case Type::I32:
      return use([&] { return I{cursor.take<std::int32_t>("an i32")}; });
    case Type::F32:
      return use([&] { return double{cursor.take<float>("an f32")}; });
    case Type::Bool:
      return use([&] { return take_bool(cursor); });
    case Type::U64:
      return use([&] { return cursor.take<std::uint64_t>("a u64"); });
    case Type::I64:
      return use([&] { return cursor.take<std::int64_t>("an i64"); });
    case Type::F64:
      return use([&] { return cursor.take<double>("an f64"); });
    default:
      return use([&] { return cursor.take_string("a string"); });
  }
}

}  // namespace

std::string_view gguf_type_name(GgufValueType type) { return kNames.at(static_cast<std::size_t>(type)); }

GgufValue take_gguf_value(GgufCursor& cursor, std::string_view key) {
  GgufValue result;
  result.type = take_type(cursor, key);
  if (result.type != GgufValueType::Array) {
    with_taker(result.type, cursor, [&](const auto& take) { result.value = take(); });
    return result;
  }
  result.element_type = take_type(cursor, key);
  if (result.element_type == GgufValueType::Array) {
    cursor.fail(ErrorCode::Schema, "arrays of arrays are not read", "an array of arrays", "an array of plain values",
                text("\"", key, "\""));
  }
  const std::uint64_t count = cursor.take_count("array elements", min_bytes(result.element_type));
  with_taker(result.element_type, cursor, [&](const auto& take) {
    std::vector<std::decay_t<decltype(take())>> elements;
    elements.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) elements.push_back(take());
    result.value = std::move(elements);
  });
  return result;
}

}  // namespace lathe
