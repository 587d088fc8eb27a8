#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/io/dtype.h"

namespace lathe {

/// What a global name of a pickle stands for here. None of them is ever called: the reader only notes what PyTorch
/// would have made.
enum class PickleGlobal : std::uint8_t {
  OrderedDict,
  Size,       ///< torch.Size: a tuple
  Device,     ///< torch.device: left as it is
  Parameter,  ///< _rebuild_parameter and its kind: the tensor in it
  Tensor,     ///< _rebuild_tensor, _v2: a view of a typed storage
  TensorV3,   ///< _rebuild_tensor_v3: a view of bytes, with its own dtype
  Storage,    ///< torch.FloatStorage and its kind; without dtype: bytes
  Dtype,      ///< torch.float32
};

/// A global on the list.
struct AllowedGlobal {
  std::string_view module;
  std::string_view name;
  PickleGlobal global = PickleGlobal::OrderedDict;
  std::optional<DType> dtype{};  ///< of a storage or dtype
  int min_arguments = 0;
  int max_arguments = 0;  ///< negative: it is a name and cannot be called

  bool is_function() const { return max_arguments >= 0; }
};

/// The global of that name, or nullptr: then the file must not be read. The list has what a file of tensors needs.
/// Source: torch/_weights_only_unpickler.py, without quantised and sparse tensors, which Lathe does not read.
const AllowedGlobal* find_global(std::string_view module, std::string_view name);

}  // namespace lathe
