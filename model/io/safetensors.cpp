#include "model/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "model/data/error.h"
#include "model/io/file_kind.h"
#include "model/io/mapping_guard.h"
#include "model/io/safetensors_header.h"
#include "model/io/utf8.h"

namespace lathe {

namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

constexpr const char* kAgain = "download or copy the file again";

/// The header's JSON; the tensors' bytes start right after it.
std::string_view header_json(std::span<const std::byte> file, const std::string& path) {
  const auto fail = [&](ErrorCode code, std::string what, std::string got, std::string expected) {
    auto foreign = describe_foreign_file(file);
    if (foreign && !foreign->got.ends_with("safetensors file")) {
      foreign->where = path;
      throw Error(*std::move(foreign));
    }
    throw Error({.code = code,
                 .what = std::move(what),
                 .where = path,
                 .got = std::move(got),
                 .expected = std::move(expected),
                 .hint = kAgain});
  };
  if (file.size() < kLengthBytes) {
    fail(ErrorCode::Truncated, "the file is empty or cut off", text(file.size(), " bytes"),
         "a header of 8 bytes or more");
  }
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kMaxHeaderBytes) {
    fail(ErrorCode::Limit, "the header would be larger than any real one; is this a safetensors file?",
         text("a length of ", length, " bytes"), text("at most ", kMaxHeaderBytes, " bytes"));
  }
  if (length == 0) fail(ErrorCode::Header, "the header is empty", "a length of 0", "JSON, at least {}");
  if (length > file.size() - kLengthBytes) {
    fail(ErrorCode::Truncated, "the file is cut off in its header", text(file.size() - kLengthBytes, " bytes"),
         text(length, " bytes of header"));
  }
  return {reinterpret_cast<const char*>(file.data()) + kLengthBytes, length};
}

/// Checks that the parser sees all of the text, and as text.
void check_text(std::string_view json, const std::string& path) {
  const auto refuse = [&](ErrorCode code, const char* what, std::string got) {
    throw Error({.code = code,
                 .what = what,
                 .where = text("the header, ", path),
                 .got = std::move(got),
                 .expected = "UTF-8 JSON",
                 .hint = "download the file again, or write it again with a current safetensors library"});
  };
  const std::size_t valid = valid_utf8_prefix(json);
  if (valid != json.size())
    refuse(ErrorCode::Utf8, "the header is not UTF-8", text("a wrong sequence at byte ", valid));
  if (json.starts_with("\xEF\xBB\xBF")) {
    refuse(ErrorCode::Json, "the header starts with a byte order mark", "EF BB BF");
  }
  const std::size_t nul = json.find('\0');  // the parser would take it as the end
  if (nul != std::string_view::npos) refuse(ErrorCode::Json, "the header holds a NUL", text("NUL at byte ", nul));
}

/// Checks that the item's range starts at `expected_begin` and has the bytes that its shape takes.
void check_range(const SafetensorsItem& item, std::uint64_t expected_begin, const std::string& path) {
  const auto fail = [&](ErrorCode code, const char* what, std::string got, std::string expected) {
    throw Error({.code = code,
                 .what = what,
                 .where = text("tensor \"", item.name, "\" of ", path),
                 .got = std::move(got),
                 .expected = std::move(expected),
                 .hint = kAgain});
  };
  if (item.begin != expected_begin || item.end < item.begin) {
    fail(ErrorCode::Offsets, "the tensors overlap or leave a hole",
         text("data_offsets [", item.begin, ", ", item.end, "]"), text("a range that starts at ", expected_begin));
  }
  const auto bytes = stored_bytes(item.dtype, item.shape);
  if (!bytes) {
    fail(ErrorCode::Overflow, "the shape is too large for any memory", shape_text(item.shape), "fewer than 2^63 bytes");
  }
  if (item.end - item.begin != static_cast<std::uint64_t>(*bytes)) {
    fail(ErrorCode::Size, "the tensor's bytes do not fit its shape",
         text("data_offsets that span ", item.end - item.begin, " bytes"),
         text(*bytes, " bytes for ", dtype_name(item.dtype), " ", shape_text(item.shape)));
  }
}

/// Checks that the items' ranges fit their shapes and follow one another from 0 to the end of the data.
void check_ranges(std::vector<SafetensorsItem>& items, std::uint64_t data_bytes, const std::string& path) {
  std::sort(items.begin(), items.end(), [](const SafetensorsItem& a, const SafetensorsItem& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t expected_begin = 0;
  for (const SafetensorsItem& item : items) {
    check_range(item, expected_begin, path);
    expected_begin = item.end;
  }
  if (expected_begin == data_bytes) return;
  const bool cut = expected_begin > data_bytes;
  throw Error({.code = cut ? ErrorCode::Truncated : ErrorCode::Trailing,
               .what = cut ? "the file is cut off" : "bytes at the end belong to no tensor",
               .where = path,
               .got = text(data_bytes, " bytes after the header"),
               .expected = text(expected_begin, " bytes, as its tensors take"),
               .hint = kAgain});
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path) {
  const std::string_view json = header_json(file_.bytes(), path.string());
  check_text(json, path.string());
  SafetensorsHeader header = parse_safetensors_header(json, path.string());
  check_not_lost(file_.bytes());
  const auto data = file_.bytes().subspan(kLengthBytes + json.size());
  check_ranges(header.items, data.size(), path.string());
  metadata_ = std::move(header.metadata);
  warnings_ = std::move(header.warnings);
  tensors_.reserve(header.items.size());
  for (SafetensorsItem& item : header.items) {
    tensors_.push_back(
        {std::move(item.name), item.dtype, std::move(item.shape), data.subspan(item.begin, item.end - item.begin)});
  }
}

}  // namespace lathe
