#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace lathe {

/// A text to calibrate on or train with.
struct TextFile {
  std::string text;                 ///< valid UTF-8, without byte order mark; line ends as in the file
  std::int64_t replaced_bytes = 0;  ///< bytes that were not UTF-8; each maximal bad sequence became one U+FFFD
  std::string sha256;               ///< of the file's bytes, as receipts name it
};

/// Reads a text file. Throws Error if it is missing, empty, blank or not text (UTF-16, or NUL bytes).
TextFile read_text_file(const std::filesystem::path& path);

}  // namespace lathe
