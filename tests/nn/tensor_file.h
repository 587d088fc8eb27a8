#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

namespace lathe {

using TensorMap = std::map<std::string, at::Tensor>;

/// All tensors of a safetensors file (F32 and I64), copied.
TensorMap read_tensors(const std::filesystem::path& path);

void write_tensors(const std::filesystem::path& path, const TensorMap& tensors);

}  // namespace lathe
