#include <cstring>

#include "model/data/error.h"
#include "model/io/pytorch_content.h"

namespace lathe {

namespace {

// The first pickle's number, 0x1950a86a20f9469cfc6c, as pickles write it.
constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::int64_t kVersion = 1001;

class LegacyReader {
 public:
  LegacyReader(std::span<const std::byte> file, const std::string& path) : rest_(file), path_(path) {}

  PytorchContent read() {
    const Pickle magic = next("the magic number");
    if (magic.top().kind != PickleKind::Long || magic.top().text != kMagic) {
      fail({.code = ErrorCode::WrongFormat,
            .what = "this is a pickle, but not one that torch.save wrote",
            .got = std::string(kind_name(magic.top().kind)),
            .expected = "PyTorch's magic number",
            .hint = "save the weights with torch.save"});
    }
    const Pickle version = next("the version");
    if (version.top().kind != PickleKind::Int || version.top().number != kVersion) {
      fail({.code = ErrorCode::Version,
            .what = "this version of PyTorch's files is not read",
            .got = text(version.top().number),
            .expected = text(kVersion)});
    }
    check_byte_order(next("the facts of the machine"));
    PytorchContent content{.pickle = next("the object"), .storages = {}};
    const Pickle keys = next("the storages' keys");
    if (keys.top().kind != PickleKind::List) {
      fail({.code = ErrorCode::Schema,
            .what = "the storages' keys are not a list",
            .got = std::string(kind_name(keys.top().kind))});
    }
    const auto ids = ids_by_key(content.pickle);
    for (const std::uint32_t key : keys.top().items) add_storage(content, keys.at(key).text, ids);
    if (!rest_.empty()) {
      fail({.code = ErrorCode::Trailing,
            .what = "there are bytes behind the last storage",
            .got = text(rest_.size(), " bytes"),
            .expected = "none"});
    }
    return content;
  }

 private:
  using IdsByKey = std::map<std::string_view, StorageId>;

  [[noreturn]] void fail(ErrorParts parts) const {
    parts.where += text(parts.where.empty() ? "" : " of ", path_);
    if (parts.expected.empty()) parts.expected = "a file as torch.save writes it";
    if (parts.hint.empty()) parts.hint = "download the file again, or save it again with torch.save";
    throw Error(std::move(parts));
  }

  Pickle next(std::string_view what) {
    Pickle pickle = read_pickle(rest_, text("the pickle of ", what, " of ", path_));
    rest_ = rest_.subspan(pickle.bytes);
    return pickle;
  }

  void check_byte_order(const Pickle& facts) const {
    const PickleValue& top = facts.top();
    for (std::size_t i = 0; top.kind == PickleKind::Dict && i + 1 < top.items.size(); i += 2) {
      if (facts.at(top.items[i]).text != "little_endian") continue;
      const PickleValue& little = facts.at(top.items[i + 1]);
      if (little.kind == PickleKind::Bool && little.number == 1) return;
    }
    fail({.code = ErrorCode::Endian,
          .what = "the file does not say that its bytes are in little-endian order",
          .got = std::string(kind_name(top.kind)),
          .expected = "little_endian: True",
          .hint = "save the file on a little-endian machine"});
  }

  /// All storages that the object refers to. Their types are known from there alone.
  IdsByKey ids_by_key(const Pickle& pickle) const {
    IdsByKey ids;
    for (const PickleValue& value : pickle.values) {
      if (value.kind != PickleKind::Storage) continue;
      const bool whole = value.items.size() == 6 && pickle.at(value.items[5]).kind == PickleKind::None;
      if (!whole) {
        fail({.code = ErrorCode::Schema,
              .what = "a storage is a view of another, as before PyTorch 0.4",
              .got = text(value.items.size(), " parts"),
              .hint = "load the file in a recent PyTorch and save it again"});
      }
      const StorageId id = read_storage_id(pickle, value, path_);
      ids.emplace(id.key, id);
    }
    return ids;
  }

  void add_storage(PytorchContent& content, std::string_view key, const IdsByKey& ids) {
    const auto id = ids.find(key);
    if (id == ids.end())
      fail_key(key, {.code = ErrorCode::Schema, .what = "nothing refers to the storage", .got = "no tensor"});
    std::int64_t count = 0;
    if (rest_.size() < sizeof count)
      fail_key(key,
               {.code = ErrorCode::Truncated, .what = "the storage is missing", .got = text(rest_.size(), " bytes")});
    std::memcpy(&count, rest_.data(), sizeof count);
    rest_ = rest_.subspan(sizeof count);
    const std::int64_t value_bytes = id->second.dtype ? dtype_bytes(*id->second.dtype) : 1;
    if (count != id->second.num_values) {
      fail_key(key, {.code = ErrorCode::Size,
                     .what = "the storage has another size than the object says",
                     .got = text(count, " values"),
                     .expected = text(id->second.num_values)});
    }
    if (count > static_cast<std::int64_t>(rest_.size()) / value_bytes) {
      fail_key(key, {.code = ErrorCode::Truncated,
                     .what = "the file ends in the middle of the storage",
                     .got = text(rest_.size(), " bytes"),
                     .expected = text(count, " values of ", value_bytes, " bytes")});
    }
    const auto bytes = static_cast<std::size_t>(count * value_bytes);
    if (!content.storages.try_emplace(std::string(key), PytorchStorage{rest_.first(bytes), nullptr}).second) {
      fail_key(key, {.code = ErrorCode::DuplicateKey,
                     .what = "the storage is there twice",
                     .got = "one more",
                     .expected = "every key once"});
    }
    rest_ = rest_.subspan(bytes);
  }

  [[noreturn]] void fail_key(std::string_view key, ErrorParts parts) const {
    parts.where = text("storage \"", key, "\"");
    fail(std::move(parts));
  }

  std::span<const std::byte> rest_;
  const std::string& path_;
};

}  // namespace

PytorchContent read_pytorch_legacy(std::span<const std::byte> file, const std::string& path) {
  return LegacyReader(file, path).read();
}

}  // namespace lathe
