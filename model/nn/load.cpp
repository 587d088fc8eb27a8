#include "model/nn/load.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/io/mapping_guard.h"
#include "model/nn/match_tensors.h"
#include "model/nn/names.h"
#include "model/nn/skeleton.h"

namespace lathe {
namespace {

// Small enough that a request to stop is seen soon, large enough that threads are worth starting.
constexpr std::int64_t kValuesBetweenChecks = std::int64_t{1} << 25;
constexpr std::int64_t kValuesPerTask = std::int64_t{1} << 16;

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
  check_tensors(match_tensors(checkpoint), checkpoint.path().string());
  Loader loader(checkpoint, options, job);
  return map_model(skeleton, [&](const std::string& name, const at::Tensor& shape_only) {
    return loader.load(name, shape_only.sizes());
  });
}

}  // namespace lathe
