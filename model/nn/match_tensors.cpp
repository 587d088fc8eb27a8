#include "model/nn/match_tensors.h"

#include <algorithm>
#include <set>

#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/nn/names.h"
#include "model/nn/skeleton.h"

namespace lathe {
namespace {

// Angles that old checkpoints carry along; they follow from the config.
bool is_harmless(std::string_view name) { return name.ends_with(".rotary_emb.inv_freq"); }

bool same_values(const TensorEntry& a, const TensorEntry& b) {
  return a.type == b.type && a.shape == b.shape && a.interleaved == b.interleaved && a.strides == b.strides &&
         std::ranges::equal(a.bytes, b.bytes) && std::ranges::equal(a.parts.bytes, b.parts.bytes, std::ranges::equal);
}

// A file may repeat the embedding as the head of a tied model.
bool repeats_embedding(const Checkpoint& checkpoint, std::string_view name) {
  const TensorEntry* head = name == "lm_head.weight" ? checkpoint.find(name) : nullptr;
  const TensorEntry* embedding = checkpoint.find("model.embed_tokens.weight");
  return head != nullptr && embedding != nullptr && same_values(*head, *embedding);
}

TensorInfo stored(const std::string& name, const TensorEntry& entry) {
  return {.name = name,
          .shape = entry.shape,
          .dtype = std::string(type_name(entry.type)),
          .bytes = entry.num_bytes(),
          .file = entry.file};
}

TensorInfo match(const Checkpoint& checkpoint, const StoredPart& part) {
  const TensorEntry* entry = checkpoint.find(part.name);
  if (entry == nullptr) {
    TensorInfo missing{.name = part.name, .shape = part.shape, .dtype = {}};
    missing.state = TensorState::Missing;
    return missing;
  }
  TensorInfo found = stored(part.name, *entry);
  if (entry->shape == part.shape) return found;
  found.state = TensorState::WrongShape;
  found.expected_shape = part.shape;
  return found;
}

/// What is wrong with tensors in one way: the first few by name, the rest by number. A wrong config can name thousands.
class Complaints {
 public:
  void add(const std::string& item) {
    constexpr std::int64_t kMostNamed = 20;
    if (++count_ <= kMostNamed) items_.push_back(item);
  }
  std::string section(std::string_view title) const {
    if (count_ == 0) return {};
    std::string section = text("\n", title, " (", count_, "):");
    for (const std::string& item : items_) section += "\n  " + item;
    const std::int64_t unnamed = count_ - std::ssize(items_);
    return unnamed == 0 ? section : section + text("\n  and ", unnamed, " more");
  }

 private:
  std::vector<std::string> items_;
  std::int64_t count_ = 0;
};

}  // namespace

std::vector<StoredPart> parts_in(const Checkpoint& checkpoint, const std::string& name, at::IntArrayRef shape) {
  if (checkpoint.find(name) != nullptr) return {{name, shape.vec(), 0}};
  return stored_parts(name, shape);
}

std::vector<TensorInfo> match_tensors(const Checkpoint& checkpoint) {
  std::vector<TensorInfo> tensors;
  std::set<std::string, std::less<>> expected;
  for (const NamedTensor& named : model_tensors(model_skeleton(config_from_json(checkpoint.config_json())))) {
    for (const StoredPart& part : parts_in(checkpoint, named.name, named.tensor.sizes())) {
      expected.insert(part.name);
      tensors.push_back(match(checkpoint, part));
    }
  }
  for (const auto& [name, entry] : checkpoint.tensors()) {
    if (expected.contains(name)) continue;
    tensors.push_back(stored(name, entry));
    const bool harmless = is_harmless(name) || repeats_embedding(checkpoint, name);
    tensors.back().state = harmless ? TensorState::Matched : TensorState::Unexpected;
  }
  return tensors;
}

void check_tensors(const std::vector<TensorInfo>& tensors, const std::string& path) {
  Complaints missing, misshapen, unexpected;
  std::int64_t matched = 0;
  std::int64_t expected = 0;
  for (const TensorInfo& tensor : tensors) {
    expected += tensor.state != TensorState::Unexpected ? 1 : 0;
    switch (tensor.state) {
      case TensorState::Matched:
        ++matched;
        break;
      case TensorState::Missing:
        missing.add(tensor.name);
        break;
      case TensorState::Unexpected:
        unexpected.add(tensor.name);
        break;
      case TensorState::WrongShape:
        misshapen.add(
            text(tensor.name, ": got ", shape_text(tensor.shape), ", expected ", shape_text(tensor.expected_shape)));
        break;
    }
  }
  const std::string all =
      missing.section("missing") + misshapen.section("wrong shape") + unexpected.section("unexpected");
  if (all.empty()) return;
  throw Error({.code = ErrorCode::Shard,
               .what = "the tensors are not those that the config describes",
               .where = path,
               .got = text("matched ", matched, " of ", expected, all, "\n"),
               .expected = text(expected, " tensors and no others"),
               .hint = "check that config.json belongs to these weights and that all of their files are there"});
}

}  // namespace lathe
