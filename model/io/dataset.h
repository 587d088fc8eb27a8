#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lathe {

/// Text to train on, to calibrate with or to measure, from one file or the files of a folder.
struct Dataset {
  std::string text;                 ///< valid UTF-8; the documents of JSON lines and files, a blank line between them
  std::int64_t documents = 0;       ///< files of text, lines of JSON
  std::int64_t replaced_bytes = 0;  ///< bytes that were not UTF-8; each maximal bad sequence became one U+FFFD
  std::string sha256;               ///< of the file's bytes, or of the hashes of a folder's files in their order
  std::vector<std::string> warnings{};  ///< what was left out, a sentence each
};

/// Reads plain text, JSON lines (.jsonl, .ndjson, .json: objects with a string "text", or "messages" whose contents
/// follow one another) or, in the order of their names, all .txt, .md, .jsonl and .ndjson of a folder.
/// A broken line is left out with a warning; when more than ten and a tenth of the lines are, the file is refused.
/// Takes memory of at most three times the size of the files. Throws Error: not there, not text, no text, another
/// format by name (Parquet, gzip ...), a link that leads out of the folder.
Dataset read_dataset(const std::filesystem::path& path);

}  // namespace lathe
