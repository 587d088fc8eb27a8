#include "model/io/jinja_limits.h"

#include "model/io/jinja_error.h"

namespace lathe::jinja {

namespace {

constexpr int kMaxSteps = 300'000;
constexpr int kMaxNesting = 64;
constexpr std::size_t kMaxValueBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxOutputBytes = std::size_t{16} << 20;
// Real templates read a long conversation some tens of times.
constexpr std::size_t kMaxBytesInAll = std::size_t{512} << 20;

std::size_t bytes_of(const Json& value, int nesting) {
  if (value.is_string()) return kItemBytes + value.get_ref<const std::string&>().size();
  if (!value.is_structured()) return kItemBytes;
  check(nesting < kMaxNesting, "a value is nested more than ", kMaxNesting, " levels deep");
  std::size_t bytes = kItemBytes;
  if (value.is_array()) {
    for (const Json& item : value) bytes += bytes_of(item, nesting + 1);
  } else {
    for (const auto& [key, item] : value.get_ref<const Json::object_t&>()) {
      bytes += key.size() + bytes_of(item, nesting + 1);
    }
  }
  return bytes;
}

}  // namespace

void check_value_bytes(std::size_t bytes) {
  check(bytes <= kMaxValueBytes, "a value would have ", bytes, " bytes, allowed are ", kMaxValueBytes);
}

void Limits::step(int line) { check(++steps_ <= kMaxSteps, "line ", line, ": more than ", kMaxSteps, " steps"); }

Value Limits::admit(Value value, int line) {
  if (!value) return value;
  const std::size_t bytes = bytes_of(*value, 0);
  check_value_bytes(bytes);
  bytes_made_ += bytes;
  check(bytes_made_ <= kMaxBytesInAll, "line ", line, ": values of more than ", kMaxBytesInAll, " bytes in all");
  return value;
}

void Limits::check_output(std::size_t bytes, int line) {
  check(bytes <= kMaxOutputBytes, "line ", line, ": more than ", kMaxOutputBytes, " bytes of output");
}

}  // namespace lathe::jinja
