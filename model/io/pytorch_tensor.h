#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/io/dtype.h"
#include "model/io/pytorch_content.h"
#include "model/io/pytorch_state_dict.h"

namespace lathe {

/// A tensor of a PyTorch file, as it lies there.
struct PytorchTensor {
  std::string name;
  DType dtype = DType::F32;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;               ///< in values; empty: the values lie in order, without gaps
  std::span<const std::byte> bytes;                ///< from the first value to the last; not aligned
  std::shared_ptr<const StoredChecksum> checksum;  ///< of the storage; none if the file has none
};

/// Makes tensors from the notes of how PyTorch would rebuild them, once it is clear that each lies in its storage and
/// has no more values than it.
/// Throws Error (E_SCHEMA, E_DTYPE, E_SIZE, E_RANGE, E_OVERFLOW, E_LIMIT, E_TRUNCATED).
/// Source: torch/_utils.py, _rebuild_tensor and its versions.
std::vector<PytorchTensor> read_pytorch_tensors(const PytorchContent& content,
                                                const std::vector<NamedTensorValue>& tensors, const std::string& path);

}  // namespace lathe
