#include "model/io/pytorch_globals.h"

#include <algorithm>
#include <array>

namespace lathe {

namespace {

using enum PickleGlobal;

constexpr int kNever = -1;  // a name, not a function

constexpr AllowedGlobal storage(std::string_view name, DType dtype) {
  return {"torch", name, Storage, dtype, kNever, kNever};
}
constexpr AllowedGlobal dtype(std::string_view name, DType dtype) {
  return {"torch", name, PickleGlobal::Dtype, dtype, kNever, kNever};
}

constexpr std::array kAllowed{
    AllowedGlobal{"collections", "OrderedDict", OrderedDict, {}, 0, 0},
    AllowedGlobal{"torch", "Size", Size, {}, 1, 1},
    AllowedGlobal{"torch", "device", Device, {}, 1, 2},
    AllowedGlobal{"torch._utils", "_rebuild_parameter", Parameter, {}, 3, 3},
    AllowedGlobal{"torch._utils", "_rebuild_parameter_with_state", Parameter, {}, 4, 4},
    AllowedGlobal{"torch.nn.parameter", "Parameter", Parameter, {}, 1, 2},
    AllowedGlobal{"torch._utils", "_rebuild_tensor", Tensor, {}, 4, 4},
    AllowedGlobal{"torch._utils", "_rebuild_tensor_v2", Tensor, {}, 6, 7},
    AllowedGlobal{"torch._utils", "_rebuild_tensor_v3", TensorV3, {}, 7, 8},
    AllowedGlobal{"torch.storage", "UntypedStorage", Storage, {}, kNever, kNever},
    storage("DoubleStorage", DType::F64),
    storage("FloatStorage", DType::F32),
    storage("HalfStorage", DType::F16),
    storage("BFloat16Storage", DType::BF16),
    storage("LongStorage", DType::I64),
    storage("IntStorage", DType::I32),
    storage("ShortStorage", DType::I16),
    storage("CharStorage", DType::I8),
    storage("ByteStorage", DType::U8),
    storage("BoolStorage", DType::Bool),
    dtype("float64", DType::F64),
    dtype("float32", DType::F32),
    dtype("float16", DType::F16),
    dtype("bfloat16", DType::BF16),
    dtype("float8_e4m3fn", DType::F8_E4M3),
    dtype("float8_e5m2", DType::F8_E5M2),
    dtype("int64", DType::I64),
    dtype("int32", DType::I32),
    dtype("int16", DType::I16),
    dtype("int8", DType::I8),
    dtype("uint64", DType::U64),
    dtype("uint32", DType::U32),
    dtype("uint16", DType::U16),
    dtype("uint8", DType::U8),
    dtype("bool", DType::Bool),
};

}  // namespace

const AllowedGlobal* find_global(std::string_view module, std::string_view name) {
  const auto* found = std::find_if(kAllowed.begin(), kAllowed.end(), [&](const AllowedGlobal& allowed) {
    return allowed.module == module && allowed.name == name;
  });
  return found == kAllowed.end() ? nullptr : found;
}

}  // namespace lathe
