#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace lathe {

class MappedFile;

/// A plain text.
struct TextFile {
  std::string text;                 ///< valid UTF-8, without byte order mark; line ends as in the file
  std::int64_t replaced_bytes = 0;  ///< bytes that were not UTF-8; each maximal bad sequence became one U+FFFD
  std::string sha256;               ///< of the file's bytes, as receipts name it
};

/// Reads a text file. Throws Error if it is missing, empty, blank, not text (UTF-16, NUL bytes), or an archive.
TextFile read_text_file(const std::filesystem::path& path);

/// The file's bytes without byte order mark, perhaps not all UTF-8, but not blank. Throws Error as read_text_file does.
std::string_view checked_text(const MappedFile& file);

}  // namespace lathe
