#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "model/data/error.h"

namespace lathe {

/// Reads a GGUF file's front part value by value. Whatever it is asked for, it never goes past the end.
class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> bytes, std::string path) : bytes_(bytes), path_(std::move(path)) {}

  /// Throws Error with these parts, the place and the file.
  [[noreturn]] void fail(ErrorCode code, std::string what, std::string got, std::string expected,
                         std::string_view item = "") const {
    throw Error({.code = code,
                 .what = std::move(what),
                 .where = text(item, item.empty() ? "" : ", ", "byte ", at_, " of ", path_),
                 .got = std::move(got),
                 .expected = std::move(expected),
                 .hint = "download the file again or convert the model again"});
  }

  /// The next little-endian number.
  template <typename T>
  T take(std::string_view what) {
    if (remaining() < sizeof(T)) fail_truncated(what, sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  /// The next string: a 64-bit length, then the bytes.
  std::string_view take_string(std::string_view what) {
    const auto length = take<std::uint64_t>(what);
    if (length > remaining()) fail_truncated(what, length);
    const std::string_view value(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
    at_ += length;
    return value;
  }

  /// How many of something follow, each of which takes at least `min_bytes`: bounds what is allocated for them.
  std::uint64_t take_count(std::string_view what, std::uint64_t min_bytes) {
    const auto count = take<std::uint64_t>(what);
    if (count > remaining() / min_bytes) {
      fail(ErrorCode::Truncated, text("the ", what, " cannot fit in the file"), text(count, " ", what),
           text("at most ", remaining() / min_bytes, " in the ", remaining(), " bytes left"));
    }
    return count;
  }

  std::size_t offset() const { return at_; }
  std::size_t remaining() const { return bytes_.size() - at_; }

 private:
  [[noreturn]] void fail_truncated(std::string_view what, std::uint64_t size) const {
    fail(ErrorCode::Truncated, text("the file ends in the middle of ", what), text(remaining(), " bytes left"),
         text(size, " bytes"));
  }

  std::span<const std::byte> bytes_;
  std::string path_;
  std::size_t at_ = 0;
};

}  // namespace lathe
