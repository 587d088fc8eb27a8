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

  /// Throws Error with the joined parts, the place and the file.
  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw Error(text("[gguf] ", parts..., "; at byte ", at_, "; file: ", path_));
  }

  /// The next little-endian number.
  template <typename T>
  T take(std::string_view what) {
    if (remaining() < sizeof(T)) fail("the file ends in the middle of ", what, "; it is cut off");
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  /// The next string: a 64-bit length, then the bytes.
  std::string_view take_string(std::string_view what) {
    const auto length = take<std::uint64_t>(what);
    if (length > remaining()) fail(what, " would have ", length, " bytes, but only ", remaining(), " are left");
    const std::string_view value(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
    at_ += length;
    return value;
  }

  /// How many of something follow, each of which takes at least `min_bytes`: bounds what is allocated for them.
  std::uint64_t take_count(std::string_view what, std::uint64_t min_bytes) {
    const auto count = take<std::uint64_t>(what);
    if (count > remaining() / min_bytes)
      fail(count, " ", what, " cannot fit in the ", remaining(), " bytes left; the file is cut off or broken");
    return count;
  }

  std::size_t offset() const { return at_; }
  std::size_t remaining() const { return bytes_.size() - at_; }

 private:
  std::span<const std::byte> bytes_;
  std::string path_;
  std::size_t at_ = 0;
};

}  // namespace lathe
