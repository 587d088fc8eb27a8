#include "model/train/train_state.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "model/data/error.h"
#include "model/io/atomic_file.h"
#include "model/io/json_file.h"
#include "model/io/safetensors.h"

namespace lathe {
namespace {

constexpr const char* kAbout = "about";

TensorSource source_of(const StateTensor& state) {
  // Copied from the device when its turn comes, and kept until the next one's.
  const auto on_cpu = std::make_shared<at::Tensor>();
  return {.name = state.name,
          .dtype = DType::F32,
          .shape = state.tensor.sizes().vec(),
          .bytes = [tensor = state.tensor, on_cpu] {
            *on_cpu = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
            return std::span(static_cast<const std::byte*>(on_cpu->const_data_ptr()), on_cpu->nbytes());
          }};
}

}  // namespace

void write_train_state(const std::filesystem::path& file, const TrainState& state, const Job& job) {
  const std::string about = state.about.dump();
  std::vector<TensorSource> sources;
  for (const StateTensor& tensor : state.tensors) sources.push_back(source_of(tensor));
  sources.push_back(
      {.name = kAbout, .dtype = DType::U8, .shape = {static_cast<std::int64_t>(about.size())}, .bytes = [&about] {
         return std::as_bytes(std::span(about));
       }});
  write_safetensors(file, sources, job);
}

TrainState read_train_state(const std::filesystem::path& file) {
  remove_leftovers(file);
  const SafetensorsFile stored(file);
  TrainState state;
  for (const SafetensorsTensor& tensor : stored.tensors()) {
    if (tensor.name == kAbout) {
      const std::string_view json(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
      state.about = parse_json(json, "'about' of " + file.string());
      continue;
    }
    check(tensor.dtype == DType::F32, "[train state] tensor '", tensor.name, "': got ", type_name(tensor.dtype),
          ", expected F32; file: ", file.string());
    at::Tensor copy = at::empty(tensor.shape, at::kFloat);
    std::ranges::copy(tensor.bytes, static_cast<std::byte*>(copy.mutable_data_ptr()));
    state.tensors.push_back({tensor.name, std::move(copy)});
  }
  check(state.about.is_object(),
        "[train state] the file holds no training state (no tensor 'about'); file: ", file.string());
  return state;
}

}  // namespace lathe
