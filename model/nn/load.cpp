#include "model/nn/load.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <span>

#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/io/mapping_guard.h"
#include "model/nn/names.h"
#include "model/nn/skeleton.h"
#include "model/nn/stored_parts.h"

namespace lathe {
namespace {

// Small enough that a request to stop is seen soon, large enough that threads are worth starting.
constexpr std::int64_t kValuesBetweenChecks = std::int64_t{1} << 25;
constexpr std::int64_t kValuesPerTask = std::int64_t{1} << 16;

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

/// What is wrong with tensors in one way: the first few by name, the rest by number. A wrong config can name thousands.
class Complaints {
 public:
  void add(const std::string& item) {
    constexpr std::int64_t kMostNamed = 20;
    if (++count_ <= kMostNamed) items_.push_back(item);
  }
  bool empty() const { return count_ == 0; }
  std::string section(std::string_view title) const {
    if (empty()) return {};
    std::string section = text("\n", title, " (", count_, "):");
    for (const std::string& item : items_) section += "\n  " + item;
    const std::int64_t unnamed = count_ - std::ssize(items_);
    return unnamed == 0 ? section : section + text("\n  and ", unnamed, " more");
  }

 private:
  std::vector<std::string> items_;
  std::int64_t count_ = 0;
};

// Files of transformers 5 may hold the experts of a layer in one tensor, as memory does.
std::vector<StoredPart> parts_in(const Checkpoint& checkpoint, const std::string& name, at::IntArrayRef shape) {
  if (checkpoint.find(name) != nullptr) return {{name, shape.vec(), 0}};
  return stored_parts(name, shape);
}

void check_tensors(const Checkpoint& checkpoint, const Model& skeleton) {
  Complaints missing, misshapen, unexpected;
  std::int64_t matched = 0;
  std::set<std::string, std::less<>> expected;
  for (const NamedTensor& named : model_tensors(skeleton)) {
    for (const StoredPart& part : parts_in(checkpoint, named.name, named.tensor.sizes())) {
      expected.insert(part.name);
      const TensorEntry* entry = checkpoint.find(part.name);
      if (entry == nullptr) {
        missing.add(part.name);
      } else if (entry->shape != part.shape) {
        misshapen.add(text(part.name, ": got ", shape_text(entry->shape), ", expected ", shape_text(part.shape)));
      } else {
        ++matched;
      }
    }
  }
  for (const auto& [name, entry] : checkpoint.tensors()) {
    if (expected.contains(name) || is_harmless(name) || repeats_embedding(checkpoint, name)) continue;
    unexpected.add(name);
  }
  check(missing.empty() && misshapen.empty() && unexpected.empty(),
        "[load] the tensors are not those that the config describes: matched ", matched, " of ", expected.size(),
        "; loaded none", missing.section("missing"), misshapen.section("wrong shape"), unexpected.section("unexpected"),
        "\nfile: ", checkpoint.path().string());
}

// Rows [first, last) of the entry into `out`, the memory of a CPU tensor of `dtype`, at the entry's own place.
struct RowRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

void read_range(const TensorEntry& entry, RowRange rows, at::ScalarType dtype, std::byte* out) {
  const std::int64_t length = entry.row_length();
  const auto count = static_cast<std::size_t>((rows.last - rows.first) * length);
  std::byte* target = out + rows.first * length * static_cast<std::int64_t>(c10::elementSize(dtype));
  if (dtype == at::kFloat) {
    read_rows(entry, rows.first, rows.last - rows.first, {reinterpret_cast<float*>(target), count});
  } else if (dtype == at::kBFloat16) {
    read_rows_bf16(entry, rows.first, rows.last - rows.first, {reinterpret_cast<std::uint16_t*>(target), count});
  } else {
    std::vector<float> row(static_cast<std::size_t>(length));
    auto* halves = reinterpret_cast<at::Half*>(target);
    for (std::int64_t i = rows.first; i < rows.last; ++i, halves += length) {
      read_rows(entry, i, 1, row);
      std::ranges::transform(row, halves, [](float value) { return at::Half(value); });
    }
  }
}

void read_entry(const TensorEntry& entry, at::ScalarType dtype, std::byte* out, const Job& job) {
  const std::int64_t length = std::max<std::int64_t>(entry.row_length(), 1);
  const std::int64_t rows_between_checks = std::max<std::int64_t>(kValuesBetweenChecks / length, 1);
  const std::int64_t rows_per_task = std::max<std::int64_t>(kValuesPerTask / length, 1);
  for (std::int64_t first = 0; first < entry.num_rows(); first += rows_between_checks) {
    job.check();
    const std::int64_t last = std::min(first + rows_between_checks, entry.num_rows());
    at::parallel_for(first, last, rows_per_task, [&](std::int64_t begin, std::int64_t end) {
      read_range(entry, {begin, end}, dtype, out);
    });
  }
}

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const LoadOptions& options, const Job& job)
      : checkpoint_(checkpoint), options_(options), job_(job), total_bytes_(checkpoint.tensor_bytes()) {}

  at::Tensor load(const std::string& name, at::IntArrayRef shape) {
    const at::ScalarType dtype = dtype_in(options_.dtype, name);
    at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(dtype));
    auto* memory = static_cast<std::byte*>(tensor.mutable_data_ptr());
    for (const StoredPart& part : parts_in(checkpoint_, name, shape)) {
      const TensorEntry& entry = checkpoint_.at(part.name);
      job_.progress("load weights", "bytes", done_bytes_, total_bytes_);
      read_entry(entry, dtype, memory + part.first_value * tensor.element_size(), job_);
      check_unchanged(entry.bytes);
      for (const auto piece : entry.parts.bytes) check_unchanged(piece);
      done_bytes_ += entry.num_bytes();
    }
    job_.progress("load weights", "bytes", done_bytes_, total_bytes_);
    return tensor.to(options_.device);
  }

 private:
  const Checkpoint& checkpoint_;
  const LoadOptions& options_;
  const Job& job_;
  const std::int64_t total_bytes_;
  std::int64_t done_bytes_ = 0;
};

}  // namespace

Model load_model(const Checkpoint& checkpoint, const LoadOptions& options, const Job& job) {
  const at::ScalarType dtype = options.dtype;
  check(dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf, "[load] dtype: got ", dtype,
        ", expected f32, bf16 or f16");
  const Model skeleton = model_skeleton(config_from_json(checkpoint.config_json()));
  check_tensors(checkpoint, skeleton);
  Loader loader(checkpoint, options, job);
  return map_model(skeleton, [&](const std::string& name, const at::Tensor& shape_only) {
    return loader.load(name, shape_only.sizes());
  });
}

}  // namespace lathe
