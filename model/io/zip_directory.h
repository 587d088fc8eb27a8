#pragma once

#include <cstdint>

#include "model/io/zip_bytes.h"

namespace lathe {

/// Where an archive's list of entries lies and how long it is.
struct ZipDirectory {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;
};

/// Finds the list by the archive's end, which must be the file's last bytes, and by its zip64 end if it has one. The
/// list lies in the file and ends where the ends begin.
/// Throws Error (E_TRUNCATED, E_TRAILING, E_ZIP, E_LIMIT).  Source: APPNOTE.TXT 6.3, sections 4.3.14 to 4.3.16.
ZipDirectory find_zip_directory(const ZipBytes& file);

}  // namespace lathe
