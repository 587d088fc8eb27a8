#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "model/data/error.h"

namespace lathe {

/// Reads a pickle's bytes piece by piece. Whatever it is asked for, it never goes past the end.
class PickleCursor {
 public:
  PickleCursor(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  /// Throws Error with the parts, the place of the opcode being read, and a next step if they have none.
  [[noreturn]] void fail(ErrorParts parts) const {
    parts.where = text("byte ", opcode_at_, " of ", where_);
    if (parts.expected.empty()) parts.expected = "a pickle as torch.save writes it";
    if (parts.hint.empty()) {
      parts.hint = "download the file again, or save the weights alone with torch.save(model.state_dict(), ...)";
    }
    throw Error(std::move(parts));
  }

  std::uint8_t take_opcode() {
    opcode_at_ = at_;
    return take<std::uint8_t>();
  }

  /// The next little-endian number.
  template <typename T>
  T take() {
    if (sizeof(T) > remaining()) {
      fail({.code = ErrorCode::Truncated,
            .what = "the pickle ends before its STOP",
            .got = text(bytes_.size(), " bytes")});
    }
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  std::string_view take_text(std::uint64_t length) {
    constexpr std::uint64_t kMaxBytes = 1'000'000;
    if (length > kMaxBytes) {
      fail({.code = ErrorCode::Limit,
            .what = "a text is too long",
            .got = text(length, " bytes"),
            .expected = text("at most ", kMaxBytes)});
    }
    if (length > remaining()) {
      fail({.code = ErrorCode::Truncated,
            .what = "the pickle ends in the middle of a text",
            .got = text(remaining(), " bytes"),
            .expected = text(length)});
    }
    const std::string_view out = rest().substr(0, length);
    at_ += length;
    return out;
  }

  /// The text up to the next line feed, which is taken too.
  std::string_view take_line(std::size_t max_bytes) {
    const std::size_t length = rest().substr(0, max_bytes + 1).find('\n');
    if (length == std::string_view::npos) {
      const bool cut_off = remaining() <= max_bytes;
      fail({.code = cut_off ? ErrorCode::Truncated : ErrorCode::Limit,
            .what = cut_off ? "the pickle ends in the middle of a name" : "a name is too long",
            .got = text(std::min(remaining(), max_bytes), " bytes without a line feed"),
            .expected = text("at most ", max_bytes, " bytes and a line feed")});
    }
    const std::string_view out = rest().substr(0, length);
    at_ += length + 1;
    return out;
  }

  std::size_t offset() const { return at_; }
  std::size_t size() const { return bytes_.size(); }
  std::size_t remaining() const { return bytes_.size() - at_; }

 private:
  std::string_view rest() const { return {reinterpret_cast<const char*>(bytes_.data()) + at_, remaining()}; }

  std::span<const std::byte> bytes_;
  const std::string& where_;
  std::size_t at_ = 0;
  std::size_t opcode_at_ = 0;
};

}  // namespace lathe
