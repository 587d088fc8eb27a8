#include <limits>

#include "model/data/error.h"
#include "model/io/gguf.h"

namespace lathe {

namespace {

[[noreturn]] void wrong_type(const GgufFile& file, std::string_view key, const GgufValue& value,
                             std::string_view expected) {
  const bool array = value.type == GgufValueType::Array;
  throw Error({.code = ErrorCode::Schema,
               .what = text("\"", key, "\" is of another type"),
               .where = file.path().string(),
               .got = text(array ? "an array of " : "", gguf_type_name(array ? value.element_type : value.type)),
               .expected = std::string(expected),
               .hint = "convert the model again with a current converter"});
}

std::int64_t narrowed(const GgufFile& file, std::string_view key, std::uint64_t value) {
  if (value > std::numeric_limits<std::int64_t>::max()) {
    throw Error({.code = ErrorCode::Overflow,
                 .what = text("\"", key, "\" is too large"),
                 .where = file.path().string(),
                 .got = text(value),
                 .expected = "less than 2^63",
                 .hint = "convert the model again with a current converter"});
  }
  return static_cast<std::int64_t>(value);
}

}  // namespace

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

std::optional<std::int64_t> GgufFile::integer(std::string_view key) const {
  const GgufValue* found = find(key);
  if (!found) return std::nullopt;
  if (found->type == GgufValueType::Bool) wrong_type(*this, key, *found, "a whole number");
  if (const auto* value = std::get_if<std::int64_t>(&found->value)) return *value;
  if (const auto* value = std::get_if<std::uint64_t>(&found->value)) return narrowed(*this, key, *value);
  wrong_type(*this, key, *found, "a whole number");
}

std::optional<double> GgufFile::number(std::string_view key) const {
  const GgufValue* found = find(key);
  if (!found) return std::nullopt;
  if (const auto* value = std::get_if<double>(&found->value)) return *value;
  return static_cast<double>(*integer(key));
}

std::optional<bool> GgufFile::boolean(std::string_view key) const {
  const GgufValue* found = find(key);
  if (!found) return std::nullopt;
  if (found->type != GgufValueType::Bool) wrong_type(*this, key, *found, "a bool");
  return std::get<std::int64_t>(found->value) != 0;
}

std::optional<std::string_view> GgufFile::string(std::string_view key) const {
  const GgufValue* found = find(key);
  if (!found) return std::nullopt;
  if (const auto* value = std::get_if<std::string_view>(&found->value)) return *value;
  wrong_type(*this, key, *found, "a string");
}

std::optional<std::vector<std::int64_t>> GgufFile::integers(std::string_view key) const {
  const GgufValue* found = find(key);
  if (!found) return std::nullopt;
  const bool bools = found->element_type == GgufValueType::Bool;
  if (const auto* values = std::get_if<std::vector<std::int64_t>>(&found->value); values && !bools) return *values;
  const auto* values = std::get_if<std::vector<std::uint64_t>>(&found->value);
  if (!values) wrong_type(*this, key, *found, "an array of whole numbers");
  std::vector<std::int64_t> result;
  result.reserve(values->size());
  for (const std::uint64_t value : *values) result.push_back(narrowed(*this, key, value));
  return result;
}

const std::vector<double>* GgufFile::numbers(std::string_view key) const {
  const GgufValue* found = find(key);
  if (!found) return nullptr;
  if (const auto* values = std::get_if<std::vector<double>>(&found->value)) return values;
  wrong_type(*this, key, *found, "an array of floats");
}

const std::vector<std::string_view>* GgufFile::strings(std::string_view key) const {
  const GgufValue* found = find(key);
  if (!found) return nullptr;
  if (const auto* values = std::get_if<std::vector<std::string_view>>(&found->value)) return values;
  wrong_type(*this, key, *found, "an array of strings");
}

}  // namespace lathe
