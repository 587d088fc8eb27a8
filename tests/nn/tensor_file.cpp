#include "tests/nn/tensor_file.h"

#include <ATen/ops/empty.h>

#include <cstring>
#include <vector>

#include "model/data/error.h"
#include "model/io/safetensors.h"

namespace lathe {

TensorMap read_tensors(const std::filesystem::path& path) {
  TensorMap tensors;
  const SafetensorsFile file(path);
  for (const SafetensorsTensor& stored : file.tensors()) {
    check(stored.dtype == DType::F32 || stored.dtype == DType::I64, stored.name, " is neither F32 nor I64");
    const at::ScalarType dtype = stored.dtype == DType::F32 ? at::kFloat : at::kLong;
    at::Tensor tensor = at::empty(stored.shape, at::TensorOptions().dtype(dtype));
    std::memcpy(tensor.mutable_data_ptr(), stored.bytes.data(), stored.bytes.size());
    tensors[stored.name] = tensor;
  }
  return tensors;
}

void write_tensors(const std::filesystem::path& path, const TensorMap& tensors) {
  std::vector<TensorSource> sources;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor plain = tensor.detach().contiguous();
    const auto bytes = [plain] {
      return std::span(static_cast<const std::byte*>(plain.const_data_ptr()), plain.nbytes());
    };
    const DType dtype = plain.scalar_type() == at::kLong ? DType::I64 : DType::F32;
    sources.push_back({.name = name, .dtype = dtype, .shape = plain.sizes().vec(), .bytes = bytes});
  }
  write_safetensors(path, sources);
}

}  // namespace lathe
