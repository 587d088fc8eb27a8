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
  check(!bytes.starts_with("\xFF\xFE") && !bytes.starts_with("\xFE\xFF"),
        "[text] the file is UTF-16; save it as UTF-8; file: ", path.string());
  const std::size_t nul = bytes.find('\0');
  check(nul == std::string_view::npos, "[text] NUL at byte ", nul, ": this is not a text file; file: ", path.string());
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  const bool blank = bytes.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
  check(!blank, "[text] the file holds no text; file: ", path.string());
  RepairedUtf8 repaired = repair_utf8(bytes);
  result.text = std::move(repaired.text);
  result.replaced_bytes = repaired.replaced_bytes;
  return result;
}

}  // namespace lathe
