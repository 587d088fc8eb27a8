#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

namespace lathe {

/// Bytes of a file and the CRC-32 that the file says they have. They are compared when they are first used, so that a
/// file of many gigabytes opens at once.
class StoredChecksum {
 public:
  /// `where` is the place in messages, the path last.
  StoredChecksum(std::span<const std::byte> bytes, std::uint32_t crc32, std::string where)
      : bytes_(bytes), crc32_(crc32), where_(std::move(where)) {}

  /// Throws Error (E_CHECKSUM) if the bytes are not those that were written.
  /// Thread: any; the first call reads the bytes, and calls beside it wait for it.
  void verify() const;

 private:
  std::span<const std::byte> bytes_;
  std::uint32_t crc32_;
  std::string where_;
  mutable std::once_flag verified_;
};

}  // namespace lathe
