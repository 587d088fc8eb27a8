#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace lathe {

/// A regular file mapped for reading. The mapping outlives renames and unlinks of its path, and moves.
class MappedFile {
 public:
  MappedFile() = default;

  /// Maps the whole file. Throws Error if it is missing, unreadable or not a regular file. An empty file maps to no
  /// bytes.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::span<const std::byte> bytes_;
};

}  // namespace lathe
