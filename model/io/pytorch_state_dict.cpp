#include "model/io/pytorch_state_dict.h"

#include <algorithm>
#include <array>
#include <set>

#include "model/data/error.h"

namespace lathe {

namespace {

// What training scripts and their frameworks call it.
constexpr std::array<std::string_view, 7> kUsualNames{
    "state_dict", "model_state_dict", "model", "module", "model_state", "net", "weights"};
// Put before every name by DistributedDataParallel, torch.compile, FSDP, DeepSpeed and Lightning.
constexpr std::array<std::string_view, 5> kWrappers{"module.", "_orig_mod.", "_fsdp_wrapped_module.",
                                                    "_forward_module.", "model."};
constexpr std::size_t kMaxNameBytes = 4096;
constexpr std::size_t kMaxNamed = 10;

/// The first few of many names.
std::string list_of(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kMaxNamed); ++i) out += text(i ? ", " : "", names[i]);
  return names.size() > kMaxNamed ? text(out, " and ", names.size() - kMaxNamed, " more") : out;
}

class StateDictFinder {
 public:
  StateDictFinder(const Pickle& pickle, const std::string& path) : pickle_(pickle), path_(path) {}

  StateDict find() {
    const PickleValue* dict = &pickle_.top();
    std::string place;
    while (dict->kind == PickleKind::Dict && place.size() <= kMaxNameBytes) {
      const auto [name, inner] = usual(*dict);
      // A best loss, say, may be a tensor beside the model.
      if (inner == nullptr || (holds_tensors(*dict) && !holds_tensors(*inner))) break;
      place += text("[\"", name, "\"]");
      dict = inner;
    }
    if (dict->kind != PickleKind::Dict) {
      fail({.code = ErrorCode::Schema,
            .what = "the file does not hold a dictionary of tensors",
            .got = std::string(kind_name(dict->kind)),
            .expected = "what model.state_dict() returns"});
    }
    if (!holds_tensors(*dict)) no_tensors(*dict, place);
    if (!place.empty()) found_.notes.push_back(text("the tensors are those of ", place));
    take(*dict);
    take_off_wrappers();
    return std::move(found_);
  }

 private:
  [[noreturn]] void fail(ErrorParts parts) const {
    parts.where = path_;
    if (parts.hint.empty()) parts.hint = "save the weights alone with torch.save(model.state_dict(), ...)";
    throw Error(std::move(parts));
  }

  bool holds_tensors(const PickleValue& dict) const {
    for (std::size_t i = 1; i < dict.items.size(); i += 2) {
      if (pickle_.at(dict.items[i]).kind == PickleKind::Tensor) return true;
    }
    return false;
  }

  /// The dictionary in `dict` that has one of the usual names, the first of them that is there.
  std::pair<std::string_view, const PickleValue*> usual(const PickleValue& dict) const {
    for (const std::string_view name : kUsualNames) {
      for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
        const PickleValue& key = pickle_.at(dict.items[i]);
        const PickleValue& value = pickle_.at(dict.items[i + 1]);
        const bool found = key.kind == PickleKind::String && key.text == name && value.kind == PickleKind::Dict;
        if (found) return {name, &value};
      }
    }
    return {};
  }

  [[noreturn]] void no_tensors(const PickleValue& dict, const std::string& place) const {
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < dict.items.size(); i += 2) {
      const PickleValue& key = pickle_.at(dict.items[i]);
      keys.emplace_back(key.kind == PickleKind::String ? key.text.substr(0, 80) : kind_name(key.kind));
    }
    fail({.code = ErrorCode::Schema,
          .what = text("there are no tensors in the file's dictionary", place.empty() ? "" : " ", place),
          .got = keys.empty() ? "nothing" : text("the keys ", list_of(keys)),
          .expected = "tensors by name, or a dictionary of them under \"state_dict\" or \"model\""});
  }

  void take(const PickleValue& dict) {
    std::vector<std::string> others;
    std::set<std::string_view> names;
    for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const PickleValue& key = pickle_.at(dict.items[i]);
      const PickleValue& value = pickle_.at(dict.items[i + 1]);
      if (key.kind == PickleKind::String && !names.insert(key.text).second) {
        fail({.code = ErrorCode::DuplicateKey,
              .what = text("\"", key.text.substr(0, 200), "\" is there twice"),
              .got = "one more",
              .expected = "every name once"});
      }
      if (value.kind != PickleKind::Tensor) {
        others.emplace_back(key.kind == PickleKind::String ? key.text.substr(0, 80) : kind_name(key.kind));
        continue;
      }
      check_name(key);
      found_.tensors.push_back({std::string(key.text), &value});
    }
    if (others.empty()) return;
    found_.notes.push_back(text(others.size(), " entries that are no tensors were left out: ", list_of(others)));
  }

  void check_name(const PickleValue& key) const {
    if (key.kind != PickleKind::String) {
      fail({.code = ErrorCode::Schema,
            .what = "a tensor has no name",
            .got = text("the key is ", kind_name(key.kind)),
            .expected = "a text"});
    }
    const bool usable =
        !key.text.empty() && key.text.size() <= kMaxNameBytes && key.text.find('\0') == std::string_view::npos;
    if (usable) return;
    fail({.code = ErrorCode::Name,
          .what = "a tensor's name cannot be used",
          .got = text(key.text.size(), " bytes"),
          .expected = text("1 to ", kMaxNameBytes, " bytes without a NUL")});
  }

  /// Whether every name begins so, and the names of Hugging Face's Llama, most of which begin with "model.", would
  /// stay.
  bool is_wrapped_by(std::string_view wrapper) const {
    const auto inside = [&](const NamedTensorValue& tensor) {
      return tensor.name.size() > wrapper.size() && tensor.name.starts_with(wrapper);
    };
    const auto twice = [&](const NamedTensorValue& tensor) { return tensor.name.starts_with("model.model."); };
    return std::ranges::all_of(found_.tensors, inside) &&
           (wrapper != "model." || std::ranges::any_of(found_.tensors, twice));
  }

  void take_off_wrappers() {
    std::string taken;
    for (auto wrapper = kWrappers.begin(); wrapper != kWrappers.end();) {
      if (!is_wrapped_by(*wrapper)) {
        ++wrapper;
        continue;
      }
      for (NamedTensorValue& tensor : found_.tensors) tensor.name.erase(0, wrapper->size());
      taken += *wrapper;
      wrapper = kWrappers.begin();
    }
    if (!taken.empty()) found_.notes.push_back(text("the names were read without \"", taken, "\""));
  }

  const Pickle& pickle_;
  const std::string& path_;
  StateDict found_;
};

}  // namespace

StateDict find_state_dict(const Pickle& pickle, const std::string& path) {
  return StateDictFinder(pickle, path).find();
}

}  // namespace lathe
