#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe {

/// One file of an archive, stored as it is.
struct ZipEntry {
  std::string_view name;  ///< "model/data/0", as the archive writes it
  std::span<const std::byte> bytes;
  std::uint32_t crc32 = 0;  ///< of `bytes`; not compared yet
};

/// Reads the list of a zip archive, zip64 included, as strictly as files of PyTorch allow: nothing compressed or
/// encrypted, nothing before or behind, every entry's two headers agree, and no two entries share a byte. Names are
/// relative, lead nowhere upwards and occur once. The entries point into `file`.
/// Throws Error (E_ZIP, E_TRUNCATED, E_TRAILING, E_NAME, E_PATH, E_DUP_KEY, E_OFFSETS, E_LIMIT, E_UTF8).
/// Source: PKWARE APPNOTE.TXT 6.3, sections 4.3 to 4.5.
std::vector<ZipEntry> read_zip(std::span<const std::byte> file, const std::string& path);

}  // namespace lathe
