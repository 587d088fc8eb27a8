#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "model/io/hash.h"

namespace lathe {

/// A file that appears at its path whole or not at all: written to a hidden temporary file in the same folder, synced,
/// renamed, and the folder synced. Until commit() what was at the path before stays; without commit() the temporary
/// goes.
class AtomicFile {
 public:
  /// Creates the temporary file. With `expected_bytes`, space is reserved first, so that a full disk shows before the
  /// work. Throws Error if the folder is missing or cannot be written.
  explicit AtomicFile(const std::filesystem::path& path, std::int64_t expected_bytes = 0);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);

  /// Makes the file durable and puts it in place, with the permissions of the one it replaces. `verify` reads it back
  /// before, by its temporary name, which has the same extension: what it throws leaves what was there. Throws Error.
  void commit(const std::function<void(const std::filesystem::path&)>& verify = {});

  std::int64_t bytes_written() const { return bytes_written_; }

  /// SHA-256 (hex) of what was written. Call it once, after the last write.
  std::string sha256() { return hash_.hex(); }

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  std::int64_t bytes_written_ = 0;
  Sha256 hash_;
};

/// Removes the temporary files that killed writers of this path left beside it; those of live ones, which hold a lock,
/// stay. Called when the path is opened, and by every new AtomicFile.
void remove_leftovers(const std::filesystem::path& path);

/// Writes a small file atomically.
void write_file(const std::filesystem::path& path, std::string_view content);

/// Throws Error if nothing could be written at `path`: asked before long work, so that it is not done for nothing.
/// Folders on the way to it may be missing; nothing is made.
void check_writable(const std::filesystem::path& path);

/// Throws Error if the folder's disk has not room for so many bytes and a little more.
void check_free_space(const std::filesystem::path& folder, std::int64_t bytes);

/// Makes the names in a folder durable. Throws Error.
void sync_folder(const std::filesystem::path& folder);

}  // namespace lathe
