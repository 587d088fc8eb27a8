#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lathe {

/// A tensor in a file and the place that it has in the tensor in memory.
struct StoredPart {
  std::string name;
  std::vector<std::int64_t> shape;
  std::int64_t first_value = 0;  ///< its values lie together, from here on, in the contiguous tensor in memory
};

/// What a tensor in memory is stored as: fused experts one by one under their transformers 4 names
/// ("...mlp.experts.3.gate_proj.weight"), everything else as itself.
std::vector<StoredPart> stored_parts(const std::string& name, at::IntArrayRef shape);

}  // namespace lathe
