#include "model/io/text_file.h"

#include <string_view>

#include "model/data/error.h"
#include "model/io/hash.h"
#include "model/io/mapped_file.h"
#include "model/io/utf8.h"

namespace lathe {

TextFile read_text_file(const std::filesystem::path& path) {
  const MappedFile file(path);
  std::string_view bytes(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  TextFile result;
  result.sha256 = sha256_hex(file.bytes());
  const auto refuse = [&](ErrorCode code, const char* what, std::string got) {
    throw Error({.code = code,
                 .what = what,
                 .where = path.string(),
                 .got = std::move(got),
                 .expected = "UTF-8 text",
                 .hint = "save it as a UTF-8 text file"});
  };
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) {
    refuse(ErrorCode::Utf8, "the text is UTF-16", "its byte order mark");
  }
  if (bytes.starts_with("\x1F\x8B")) refuse(ErrorCode::WrongFormat, "this is a gzip archive, not text", "gzip bytes");
  if (bytes.starts_with("PAR1") || bytes.starts_with("PARE")) {
    refuse(ErrorCode::WrongFormat, "this is a Parquet file, which Lathe does not read", "Parquet bytes");
  }
  if (const std::size_t nul = bytes.find('\0'); nul != std::string_view::npos) {
    refuse(ErrorCode::Dataset, "this is not a text file", text("NUL at byte ", nul));
  }
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  const bool blank = bytes.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
  if (blank) refuse(ErrorCode::Dataset, "the file holds no text", text(bytes.size(), " bytes of white space"));
  RepairedUtf8 repaired = repair_utf8(bytes);
  result.text = std::move(repaired.text);
  result.replaced_bytes = repaired.replaced_bytes;
  return result;
}

}  // namespace lathe
