#include "model/io/text_file.h"

#include <array>

#include "model/data/error.h"
#include "model/io/hash.h"
#include "model/io/mapped_file.h"
#include "model/io/mapping_guard.h"
#include "model/io/utf8.h"

namespace lathe {

namespace {

using namespace std::string_view_literals;

/// What datasets also come as, by the first bytes.
struct OtherFormat {
  std::string_view start;
  const char* name;
  const char* hint;
  ErrorCode code = ErrorCode::WrongFormat;
};

constexpr std::array kOtherFormats{
    OtherFormat{"PAR1"sv, "a Parquet file", "convert it: datasets.Dataset.from_parquet(...).to_json(\"text.jsonl\")"},
    OtherFormat{"PARE"sv, "an encrypted Parquet file", "decrypt it and convert it to JSON lines"},
    OtherFormat{"ARROW1"sv, "an Arrow file", "convert it: datasets.Dataset.from_file(...).to_json(\"text.jsonl\")"},
    OtherFormat{"\x1F\x8B"sv, "a gzip archive", "unpack it: gunzip FILE"},
    OtherFormat{"\x28\xB5\x2F\xFD"sv, "a zstd archive", "unpack it: zstd -d FILE"},
    OtherFormat{"\xFD"
                "7zXZ"sv,
                "an xz archive", "unpack it: unxz FILE"},
    OtherFormat{"BZh91AY&SY"sv, "a bzip2 archive", "unpack it: bunzip2 FILE"},
    OtherFormat{"PK\x03\x04"sv, "a zip archive", "unpack it: unzip FILE"},
    OtherFormat{"%PDF-"sv, "a PDF", "extract its text: pdftotext FILE"},
    OtherFormat{"version https://git-lfs"sv, "a Git LFS pointer", "run `git lfs pull` in the folder that it came from",
                ErrorCode::LfsPointer},
};

}  // namespace

std::string_view checked_text(const MappedFile& file) {
  std::string_view bytes(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  const auto refuse = [&](ErrorCode code, std::string what, std::string got, const char* hint) {
    throw Error({.code = code,
                 .what = std::move(what),
                 .where = file.path().string(),
                 .got = std::move(got),
                 .expected = "UTF-8 text",
                 .hint = hint});
  };
  constexpr const char* kSave = "save it as a UTF-8 text file";
  for (const OtherFormat& other : kOtherFormats) {
    if (bytes.starts_with(other.start)) {
      refuse(other.code, text("this is ", other.name, ", not text"), other.name, other.hint);
    }
  }
  if (file.path().extension() == ".parquet") {
    refuse(ErrorCode::WrongFormat, "this is not text by its name, and not Parquet by its bytes",
           text(bytes.size(), " bytes"), "get the file again, and convert it to JSON lines");
  }
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) {
    refuse(ErrorCode::Utf8, "the text is UTF-16", "its byte order mark", kSave);
  }
  if (const std::size_t nul = bytes.find('\0'); nul != std::string_view::npos) {
    refuse(ErrorCode::Dataset, "this is not a text file", text("NUL at byte ", nul), kSave);
  }
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  if (bytes.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos) {
    refuse(ErrorCode::Dataset, "the file holds no text", text(bytes.size(), " bytes of white space"), kSave);
  }
  return bytes;
}

TextFile read_text_file(const std::filesystem::path& path) {
  const MappedFile file(path);
  RepairedUtf8 repaired = repair_utf8(checked_text(file));
  TextFile result{
      .text = std::move(repaired.text), .replaced_bytes = repaired.replaced_bytes, .sha256 = sha256_hex(file.bytes())};
  check_unchanged(file.bytes());
  return result;
}

}  // namespace lathe
