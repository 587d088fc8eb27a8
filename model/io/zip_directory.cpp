#include "model/io/zip_directory.h"

#include <algorithm>

namespace lathe {

namespace {

constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kZip64End = 0x06064b50;
constexpr std::uint32_t kZip64Locator = 0x07064b50;
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kZip64EndBytes = 56;
constexpr std::uint64_t kZip64LocatorBytes = 20;
constexpr std::uint64_t kMaxEntries = 1'000'000;

// What the plain end holds where the value is in the zip64 end.
constexpr std::uint32_t kIn64 = 0xffffffff;
constexpr std::uint16_t kCountIn64 = 0xffff;

[[noreturn]] void no_end(const ZipBytes& file) {
  const std::uint64_t window = std::min<std::uint64_t>(file.size(), kEndBytes + 0xffff);
  const std::size_t found = file.chars(file.size() - window, window).rfind("PK\5\6");
  if (found == std::string_view::npos || window - found < kEndBytes) {
    file.fail({.code = ErrorCode::Truncated,
               .what = "the archive has no end: it is cut off",
               .got = text(file.size(), " bytes")});
  }
  if (window - found == kEndBytes) {
    file.fail({.code = ErrorCode::Zip, .what = "the archive's comment is missing", .got = "no bytes behind its end"});
  }
  file.fail({.code = ErrorCode::Trailing,
             .what = "there are bytes behind the archive's end",
             .got = text(window - found - kEndBytes, " bytes"),
             .expected = "none"});
}

/// Takes the zip64 end's numbers, which those of the plain end must repeat or leave out, and returns where it begins.
std::uint64_t read_zip64_end(const ZipBytes& file, std::uint64_t locator, ZipDirectory& directory) {
  const auto at = file.number<std::uint64_t>(locator + 8);
  const bool sound = locator >= kZip64EndBytes && at == locator - kZip64EndBytes &&
                     file.has(at, kZip64EndBytes, locator, kZip64End) &&
                     file.number<std::uint64_t>(at + 4) == kZip64EndBytes - 12 &&
                     file.number<std::uint32_t>(locator + 4) == 0 && file.number<std::uint32_t>(locator + 16) == 1;
  if (!sound) {
    file.fail({.code = ErrorCode::Zip,
               .what = "the archive's zip64 end is not where its locator says",
               .got = text("byte ", at),
               .expected = text("the ", kZip64EndBytes, " bytes before byte ", locator)});
  }
  const ZipDirectory wide{.count = file.number<std::uint64_t>(at + 32),
                          .bytes = file.number<std::uint64_t>(at + 40),
                          .offset = file.number<std::uint64_t>(at + 48)};
  const bool agree = (directory.count == kCountIn64 || directory.count == wide.count) &&
                     (directory.bytes == kIn64 || directory.bytes == wide.bytes) &&
                     (directory.offset == kIn64 || directory.offset == wide.offset) &&
                     file.number<std::uint64_t>(at + 16) == 0 && file.number<std::uint64_t>(at + 24) == wide.count;
  if (!agree) {
    file.fail({.code = ErrorCode::Zip,
               .what = "the archive's two ends disagree",
               .got = text(directory.count, " entries, ", directory.bytes, " bytes from byte ", directory.offset),
               .expected = text(wide.count, " entries, ", wide.bytes, " bytes from byte ", wide.offset)});
  }
  directory = wide;
  return at;
}

}  // namespace

ZipDirectory find_zip_directory(const ZipBytes& file) {
  const std::uint64_t size = file.size();
  if (size < kEndBytes || !file.has(size - kEndBytes, kEndBytes, size, kEnd) ||
      file.number<std::uint16_t>(size - 2) != 0) {
    no_end(file);
  }
  const std::uint64_t end = size - kEndBytes;
  ZipDirectory directory{.count = file.number<std::uint16_t>(end + 10),
                         .bytes = file.number<std::uint32_t>(end + 12),
                         .offset = file.number<std::uint32_t>(end + 16)};
  if (file.number<std::uint32_t>(end + 4) != 0 || file.number<std::uint16_t>(end + 8) != directory.count) {
    file.fail({.code = ErrorCode::Zip, .what = "the archive is one part of several", .got = "a number of a disk"});
  }
  std::uint64_t list_end = end;
  if (end >= kZip64LocatorBytes && file.has(end - kZip64LocatorBytes, kZip64LocatorBytes, end, kZip64Locator)) {
    list_end = read_zip64_end(file, end - kZip64LocatorBytes, directory);
  }
  if (directory.count > kMaxEntries) {
    file.fail({.code = ErrorCode::Limit,
               .what = "the archive has too many entries",
               .got = text(directory.count),
               .expected = text("at most ", kMaxEntries)});
  }
  if (!ZipBytes::fits(directory.offset, directory.bytes, list_end) || directory.offset + directory.bytes != list_end) {
    file.fail({.code = ErrorCode::Zip,
               .what = "the archive's list is not where its end says",
               .got = text(directory.bytes, " bytes from byte ", directory.offset),
               .expected = text("its end at byte ", list_end)});
  }
  return directory;
}

}  // namespace lathe
