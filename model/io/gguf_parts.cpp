#include "model/io/gguf_parts.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <unordered_set>

#include "model/data/error.h"

namespace lathe {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPattern = "-NNNNN-of-NNNNN.gguf";
constexpr int kMostParts = 10'000;

/// What the name of a part says: "llama-00002-of-00003.gguf".
struct PartName {
  std::string stem;
  int number = 0;  // from 1
  int count = 0;
};

std::optional<PartName> part_name(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.size() <= kPattern.size()) return std::nullopt;
  const std::string_view end = std::string_view(name).substr(name.size() - kPattern.size());
  for (std::size_t i = 0; i < kPattern.size(); ++i) {
    const bool fits =
        kPattern[i] == 'N' ? std::isdigit(static_cast<unsigned char>(end[i])) != 0 : end[i] == kPattern[i];
    if (!fits) return std::nullopt;
  }
  PartName part{.stem = name.substr(0, name.size() - kPattern.size())};
  std::from_chars(end.data() + 1, end.data() + 6, part.number);
  std::from_chars(end.data() + 10, end.data() + 15, part.count);
  return part;
}

fs::path part_path(const fs::path& folder, const PartName& part, int number) {
  const auto digits = [](int value) {
    const std::string text = std::to_string(value);
    return std::string(5 - text.size(), '0') + text;
  };
  return folder / (part.stem + "-" + digits(number) + "-of-" + digits(part.count) + ".gguf");
}

[[noreturn]] void refuse(const fs::path& path, std::string what, std::string got, std::string expected) {
  throw Error({.code = ErrorCode::Shard,
               .what = std::move(what),
               .where = path.string(),
               .got = std::move(got),
               .expected = std::move(expected),
               .hint = "put all parts of one download into one folder under their own names"});
}

std::shared_ptr<const GgufFile> open_part(const fs::path& path, int number, int count) {
  if (!fs::exists(path)) {
    refuse(path, "a part of the model is missing", "no such file", text("part ", number, " of ", count));
  }
  auto file = std::make_shared<const GgufFile>(path);
  const auto says_count = file->integer("split.count").value_or(1);
  const auto says_number = file->integer("split.no").value_or(0);
  if (says_count != count || says_number != number - 1) {
    refuse(path, "the file is another part than its name says",
           text("split.no ", says_number, ", split.count ", says_count), text(number - 1, " and ", count));
  }
  return file;
}

void check_tensors(const GgufParts& parts) {
  std::unordered_set<std::string_view> names;
  for (const auto& part : parts) {
    for (const GgufTensor& tensor : part->tensors()) {
      if (names.insert(tensor.name).second) continue;
      refuse(part->path(), "a tensor is in two parts", text("\"", tensor.name, "\" again"), "every tensor once");
    }
  }
  const auto expected = parts.front()->integer("split.tensors.count");
  if (expected && *expected != static_cast<std::int64_t>(names.size())) {
    refuse(parts.front()->path(), "the parts hold another number of tensors than the first one says",
           text(names.size()), text("split.tensors.count ", *expected));
  }
}

}  // namespace

GgufParts open_gguf_parts(const fs::path& path) {
  const auto name = part_name(path);
  if (!name || !fs::exists(path)) {
    auto file = std::make_shared<const GgufFile>(path);
    if (const auto count = file->integer("split.count").value_or(1); count > 1) {
      refuse(path, "this is one part of a split model", text("one of ", count, " parts, under a name of its own"),
             "a name like model-00001-of-00003.gguf, and the other parts beside it");
    }
    return {std::move(file)};
  }
  if (name->number < 1 || name->number > name->count || name->count > kMostParts) {
    refuse(path, "the file's name counts parts that cannot be", text(name->number, " of ", name->count),
           text("1 to ", kMostParts));
  }
  GgufParts parts;
  for (int number = 1; number <= name->count; ++number) {
    parts.push_back(open_part(part_path(path.parent_path(), *name, number), number, name->count));
  }
  check_tensors(parts);
  return parts;
}

bool same_gguf_split(const fs::path& a, const fs::path& b) {
  const auto first = part_name(a);
  const auto second = part_name(b);
  return first && second && first->stem == second->stem && first->count == second->count;
}

const GgufTensor* find_tensor(const GgufParts& parts, std::string_view name) {
  for (const auto& part : parts) {
    const auto found = std::ranges::find(part->tensors(), name, &GgufTensor::name);
    if (found != part->tensors().end()) return &*found;
  }
  return nullptr;
}

}  // namespace lathe
