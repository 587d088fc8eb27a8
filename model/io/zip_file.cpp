#include "model/io/zip_file.h"

#include <algorithm>
#include <unordered_set>

#include "model/data/error.h"
#include "model/io/utf8.h"
#include "model/io/zip_directory.h"

namespace lathe {

namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kCentralHeader = 0x02014b50;

constexpr std::uint64_t kLocalHeaderBytes = 30;
constexpr std::uint64_t kCentralHeaderBytes = 46;
constexpr std::size_t kMaxNameBytes = 4096;

constexpr std::uint32_t kIn64 = 0xffffffff;  // the value is in the zip64 part
constexpr std::uint16_t kZip64Extra = 1;

constexpr std::uint16_t kEncrypted = 1U << 0 | 1U << 6 | 1U << 13;
constexpr std::uint16_t kSizesFollow = 1U << 3;  // the local header leaves sizes and CRC to a descriptor

/// The fields of an entry in the list.
struct CentralHeader {
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint32_t crc32 = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t real_bytes = 0;
  std::uint64_t offset = 0;
  std::string_view name;
};

/// From an entry's local header to the end of its bytes.
struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string_view name;
};

class ZipReader {
 public:
  explicit ZipReader(ZipBytes file) : file_(std::move(file)) {}

  std::vector<ZipEntry> read() {
    const ZipDirectory directory = find_zip_directory(file_);
    std::vector<ZipEntry> entries;
    std::vector<Extent> extents;
    std::uint64_t at = directory.offset;
    const std::uint64_t end = directory.offset + directory.bytes;
    for (std::uint64_t i = 0; i < directory.count; ++i) {
      const CentralHeader header = central_header(at, end);
      check_entry(header);
      const std::uint64_t begin = data_offset(header, directory.offset);
      entries.push_back({header.name, file_.run(begin, header.stored_bytes), header.crc32});
      extents.push_back({header.offset, begin + header.stored_bytes, header.name});
    }
    if (at != end) {
      file_.fail({.code = ErrorCode::Zip,
                  .what = "the archive's list has another length than its end says",
                  .got = text(at - directory.offset, " bytes"),
                  .expected = text(directory.bytes)});
    }
    check_disjoint(extents);
    return entries;
  }

 private:
  [[noreturn]] void fail_entry(std::string_view name, ErrorParts parts) const {
    parts.where = text("entry \"", name, "\"");
    file_.fail(std::move(parts));
  }

  /// Reads the list's entry at `at` and moves behind it.
  CentralHeader central_header(std::uint64_t& at, std::uint64_t end) const {
    const bool whole = file_.has(at, kCentralHeaderBytes, end, kCentralHeader);
    const std::uint64_t name_bytes = whole ? file_.number<std::uint16_t>(at + 28) : 0;
    const std::uint64_t extra_bytes = whole ? file_.number<std::uint16_t>(at + 30) : 0;
    const std::uint64_t comment_bytes = whole ? file_.number<std::uint16_t>(at + 32) : 0;
    const std::uint64_t bytes = kCentralHeaderBytes + name_bytes + extra_bytes + comment_bytes;
    if (!whole || !ZipBytes::fits(at, bytes, end)) {
      file_.fail({.code = ErrorCode::Zip,
                  .what = "the archive's list is broken",
                  .where = text("byte ", at),
                  .got = text(end - at, " bytes that are no entry")});
    }
    CentralHeader header{.flags = file_.number<std::uint16_t>(at + 8),
                         .method = file_.number<std::uint16_t>(at + 10),
                         .crc32 = file_.number<std::uint32_t>(at + 16),
                         .stored_bytes = file_.number<std::uint32_t>(at + 20),
                         .real_bytes = file_.number<std::uint32_t>(at + 24),
                         .offset = file_.number<std::uint32_t>(at + 42),
                         .name = file_.chars(at + kCentralHeaderBytes, name_bytes)};
    check_name(header.name);
    read_zip64_extra(header, at + kCentralHeaderBytes + name_bytes, extra_bytes);
    at += bytes;
    return header;
  }

  /// Takes the 64-bit values of the fields that have no place in 32 bits. Source: APPNOTE 4.5.3.
  void read_zip64_extra(CentralHeader& header, std::uint64_t at, std::uint64_t bytes) const {
    const std::uint64_t end = at + bytes;
    while (ZipBytes::fits(at, 4, end) && file_.number<std::uint16_t>(at) != kZip64Extra)
      at += 4 + file_.number<std::uint16_t>(at + 2);
    const std::uint64_t field_end = ZipBytes::fits(at, 4, end) ? at + 4 + file_.number<std::uint16_t>(at + 2) : 0;
    std::uint64_t value = at + 4;
    for (std::uint64_t* field : {&header.real_bytes, &header.stored_bytes, &header.offset}) {
      if (*field != kIn64) continue;
      if (field_end > end || !ZipBytes::fits(value, 8, field_end)) {
        fail_entry(header.name, {.code = ErrorCode::Zip,
                                 .what = "a size of 64 bits is missing",
                                 .got = text(bytes, " bytes of extra fields")});
      }
      *field = file_.number<std::uint64_t>(value);
      value += 8;
    }
  }

  void check_entry(const CentralHeader& header) {
    if ((header.flags & kEncrypted) != 0) {
      fail_entry(header.name,
                 {.code = ErrorCode::Zip, .what = "the entry is encrypted", .got = text("flags ", header.flags)});
    }
    if (header.method != 0) {
      fail_entry(header.name, {.code = ErrorCode::Zip,
                               .what = "the entry is compressed, which PyTorch's files never are",
                               .got = text("method ", header.method),
                               .expected = "0 (stored)",
                               .hint = "load the file with PyTorch and save it with torch.save"});
    }
    if (header.stored_bytes != header.real_bytes) {
      fail_entry(header.name, {.code = ErrorCode::Zip,
                               .what = "the entry's two sizes differ though nothing is compressed",
                               .got = text(header.stored_bytes),
                               .expected = text(header.real_bytes)});
    }
    if (!names_.insert(header.name).second) {
      fail_entry(header.name, {.code = ErrorCode::DuplicateKey,
                               .what = "the entry is there twice",
                               .got = "one more",
                               .expected = "every name once"});
    }
  }

  void check_name(std::string_view name) const {
    if (name.empty() || name.size() > kMaxNameBytes) {
      file_.fail({.code = ErrorCode::Name,
                  .what = "an entry's name has an impossible length",
                  .got = text(name.size(), " bytes"),
                  .expected = text("1 to ", kMaxNameBytes)});
    }
    if (!is_utf8(name))
      file_.fail({.code = ErrorCode::Utf8,
                  .what = "an entry's name is not UTF-8",
                  .got = text("another byte at ", valid_utf8_prefix(name))});
    const bool printable =
        std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) >= 32; });
    if (!printable)
      file_.fail({.code = ErrorCode::Name,
                  .what = "an entry's name holds a control character",
                  .got = text(name.size(), " bytes"),
                  .expected = "text"});
    for (std::size_t begin = 0; begin <= name.size();) {
      const std::size_t end = std::min(name.find('/', begin), name.size());
      const std::string_view part = name.substr(begin, end - begin);
      if (part.empty() || part == "." || part == ".." || part.find('\\') != std::string_view::npos) {
        fail_entry(name, {.code = ErrorCode::Path,
                          .what = "an entry's name leads out of the archive",
                          .got = text("\"", part, "\""),
                          .expected = "a relative path without \"..\""});
      }
      begin = end + 1;
    }
  }

  /// Where the entry's bytes begin, once its own header says the same as the list. The bytes end before `limit`.
  std::uint64_t data_offset(const CentralHeader& header, std::uint64_t limit) const {
    const std::uint64_t at = header.offset;
    if (!file_.has(at, kLocalHeaderBytes, limit, kLocalHeader)) {
      fail_entry(header.name, {.code = ErrorCode::Zip,
                               .what = "the entry's own header is not where the list says",
                               .got = text("byte ", at)});
    }
    const std::uint64_t name_bytes = file_.number<std::uint16_t>(at + 26);
    const std::uint64_t begin = at + kLocalHeaderBytes + name_bytes + file_.number<std::uint16_t>(at + 28);
    if (!ZipBytes::fits(begin, header.stored_bytes, limit)) {
      fail_entry(header.name, {.code = ErrorCode::Zip,
                               .what = "the entry's bytes run into the archive's list",
                               .got = text(header.stored_bytes, " bytes from byte ", begin),
                               .expected = text("an end up to byte ", limit)});
    }
    const std::string_view name = file_.chars(at + kLocalHeaderBytes, name_bytes);
    const bool agree = name == header.name && file_.number<std::uint16_t>(at + 6) == header.flags &&
                       file_.number<std::uint16_t>(at + 8) == header.method;
    if (!agree) {
      fail_entry(header.name,
                 {.code = ErrorCode::Zip,
                  .what = "the entry's own header and the list disagree",
                  .got = text("a name of ", name_bytes, " bytes, flags ", file_.number<std::uint16_t>(at + 6)),
                  .expected = text(header.name.size(), " bytes, flags ", header.flags)});
    }
    check_local_sizes(header);
    return begin;
  }

  void check_local_sizes(const CentralHeader& header) const {
    const bool follow = (header.flags & kSizesFollow) != 0;
    const auto crc = file_.number<std::uint32_t>(header.offset + 14);
    const bool crc_agrees = crc == header.crc32 || (follow && crc == 0);
    for (const std::uint64_t place : {18, 22}) {
      const auto size = file_.number<std::uint32_t>(header.offset + place);
      if (crc_agrees && (size == header.real_bytes || size == kIn64 || (follow && size == 0))) continue;
      fail_entry(header.name, {.code = ErrorCode::Zip,
                               .what = "the entry's own header and the list disagree on its size or CRC",
                               .got = text(size, " bytes"),
                               .expected = text(header.real_bytes)});
    }
  }

  void check_disjoint(std::vector<Extent>& extents) const {
    std::ranges::sort(extents, {}, &Extent::begin);
    for (std::size_t i = 1; i < extents.size(); ++i) {
      if (extents[i - 1].end <= extents[i].begin) continue;
      fail_entry(extents[i].name, {.code = ErrorCode::Offsets,
                                   .what = text("the entry overlaps \"", extents[i - 1].name, "\""),
                                   .got = text("a header at byte ", extents[i].begin),
                                   .expected = text("from byte ", extents[i - 1].end)});
    }
  }

  ZipBytes file_;
  std::unordered_set<std::string_view> names_;
};

}  // namespace

std::vector<ZipEntry> read_zip(std::span<const std::byte> file, const std::string& path) {
  return ZipReader(ZipBytes(file, path)).read();
}

}  // namespace lathe
