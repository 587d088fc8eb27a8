#include <algorithm>
#include <charconv>

#include "model/data/error.h"
#include "model/io/pytorch_content.h"
#include "model/io/zip_file.h"

namespace lathe {

namespace {

constexpr int kOldestVersion = 1;
constexpr int kNewestVersion = 10;

/// The archive's entries by their name below its one folder.
class ZipContent {
 public:
  ZipContent(std::span<const std::byte> file, const std::string& path) : path_(path) {
    const std::vector<ZipEntry> entries = read_zip(file, path);
    const std::string_view root = entries.empty() ? "" : entries.front().name.substr(0, entries.front().name.find('/'));
    for (const ZipEntry& entry : entries) {
      const bool inside = entry.name.starts_with(root) && entry.name.substr(root.size()).starts_with('/');
      if (!inside) {
        fail({.code = ErrorCode::WrongFormat,
              .what = "this is a zip archive, but not one that PyTorch wrote: it has no single folder",
              .where = text("entry \"", entry.name, "\""),
              .got = text("\"", entry.name.substr(0, 200), "\""),
              .expected = text("a name below \"", root.substr(0, 200), "/\"")});
      }
      entries_.emplace(entry.name.substr(root.size() + 1), entry);
    }
    refuse_programs();
  }

  PytorchContent read() const {
    check_version();
    check_byte_order();
    const ZipEntry* pickle = find("data.pkl");
    if (pickle == nullptr) {
      fail({.code = ErrorCode::WrongFormat,
            .what = "this is a zip archive, but not one that PyTorch wrote: it has no data.pkl",
            .got = text(entries_.size(), " other entries")});
    }
    verify(*pickle);
    PytorchContent content{.pickle = read_pickle(pickle->bytes, text(pickle->name, " of ", path_)), .storages = {}};
    if (content.pickle.bytes != pickle->bytes.size()) {
      fail({.code = ErrorCode::Trailing,
            .what = "there are bytes behind the pickle's end",
            .where = text("entry \"", pickle->name, "\""),
            .got = text(pickle->bytes.size() - content.pickle.bytes, " bytes"),
            .expected = "none"});
    }
    constexpr std::string_view kFolder = "data/";
    for (auto at = entries_.lower_bound(kFolder); at != entries_.end() && at->first.starts_with(kFolder); ++at) {
      content.storages[std::string(at->first.substr(kFolder.size()))] = {at->second.bytes, checksum(at->second)};
    }
    return content;
  }

 private:
  [[noreturn]] void fail(ErrorParts parts) const {
    parts.where += text(parts.where.empty() ? "" : " of ", path_);
    if (parts.expected.empty()) parts.expected = "a file as torch.save writes it";
    if (parts.hint.empty()) parts.hint = "download the file again, or save it again with torch.save";
    throw Error(std::move(parts));
  }

  const ZipEntry* find(std::string_view name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : &found->second;
  }

  /// torch.serialization.set_crc32_options(False) writes zeros, for none.
  std::shared_ptr<const StoredChecksum> checksum(const ZipEntry& entry) const {
    if (entry.crc32 == 0) return nullptr;
    return std::make_shared<const StoredChecksum>(entry.bytes, entry.crc32,
                                                  text("entry \"", entry.name, "\" of ", path_));
  }

  void verify(const ZipEntry& entry) const {
    if (const auto check = checksum(entry)) check->verify();
  }

  void refuse_programs() const {
    for (const auto& [name, entry] : entries_) {
      if (name != "constants.pkl" && !name.starts_with("code/") && !name.starts_with(".data/extern_modules")) continue;
      fail({.code = ErrorCode::TorchScript,
            .what = "the file is a program (TorchScript or torch.package), not weights; none of it was run",
            .where = text("entry \"", entry.name, "\""),
            .got = text("\"", name.substr(0, 200), "\""),
            .hint = "load it in Python with torch.jit.load and save model.state_dict() with torch.save"});
    }
  }

  /// A short text that is an entry of its own.
  std::string_view line(std::string_view name) const {
    const ZipEntry* entry = find(name);
    if (entry == nullptr) return {};
    verify(*entry);
    const std::string_view all(reinterpret_cast<const char*>(entry->bytes.data()), entry->bytes.size());
    return all.substr(0, std::min(all.find_first_of("\r\n"), std::size_t{16}));
  }

  void check_version() const {
    const std::string_view version = line("version");
    int number = 0;
    const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), number);
    if (error == std::errc() && end == version.data() + version.size() && number >= kOldestVersion &&
        number <= kNewestVersion) {
      return;
    }
    const bool none = find("version") == nullptr;
    fail({.code = none ? ErrorCode::Zip : ErrorCode::Version,
          .what = none ? "the archive does not say its version" : "this version of PyTorch's archives is not read",
          .got = none ? "no entry \"version\"" : text(number),
          .expected = text(kOldestVersion, " to ", kNewestVersion)});
  }

  void check_byte_order() const {
    if (find("byteorder") == nullptr || line("byteorder") == "little") return;
    const bool big = line("byteorder") == "big";
    fail({.code = ErrorCode::Endian,
          .what = "the bytes are in the other order",
          .got = big ? "big-endian" : "an unknown byte order",
          .expected = "little-endian",
          .hint = "save the file on a little-endian machine"});
  }

  const std::string& path_;
  std::map<std::string_view, ZipEntry> entries_;
};

}  // namespace

PytorchContent read_pytorch_zip(std::span<const std::byte> file, const std::string& path) {
  return ZipContent(file, path).read();
}

}  // namespace lathe
