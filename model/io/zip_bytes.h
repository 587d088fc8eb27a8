#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "model/data/error.h"

namespace lathe {

/// The bytes of a zip archive, read at any place that lies in them.
class ZipBytes {
 public:
  ZipBytes(std::span<const std::byte> file, std::string path) : file_(file), path_(std::move(path)) {}

  std::uint64_t size() const { return file_.size(); }
  std::span<const std::byte> run(std::uint64_t at, std::uint64_t bytes) const { return file_.subspan(at, bytes); }
  std::string_view chars(std::uint64_t at, std::uint64_t bytes) const {
    return {reinterpret_cast<const char*>(file_.data()) + at, bytes};
  }

  /// The little-endian number at `at`, which must have been checked to lie in the file.
  template <typename T>
  T number(std::uint64_t at) const {
    T value;
    std::memcpy(&value, file_.data() + at, sizeof value);
    return value;
  }

  /// Whether `bytes` bytes lie at `at` before `end`.
  static bool fits(std::uint64_t at, std::uint64_t bytes, std::uint64_t end) { return at <= end && bytes <= end - at; }

  /// Whether a record of `bytes` bytes that begins with `signature` lies at `at` before `end`.
  bool has(std::uint64_t at, std::uint64_t bytes, std::uint64_t end, std::uint32_t signature) const {
    return fits(at, bytes, end) && number<std::uint32_t>(at) == signature;
  }

  /// Throws Error with the parts, the file behind their place, and what was expected and a next step if they have none.
  [[noreturn]] void fail(ErrorParts parts) const {
    parts.where += text(parts.where.empty() ? "" : " of ", path_);
    if (parts.expected.empty()) parts.expected = "an archive as PyTorch writes it";
    if (parts.hint.empty()) parts.hint = "download or save the file again";
    throw Error(std::move(parts));
  }

 private:
  std::span<const std::byte> file_;
  std::string path_;
};

}  // namespace lathe
