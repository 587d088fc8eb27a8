#include "model/io/dtype.h"

#include <array>
#include <utility>

namespace lathe {

namespace {

struct DTypeFacts {
  std::string_view name;
  std::int64_t bytes;
};

// In the order of the enum.
constexpr std::array<DTypeFacts, 15> kDTypes{{{"F64", 8},
                                              {"F32", 4},
                                              {"F16", 2},
                                              {"BF16", 2},
                                              {"F8_E4M3", 1},
                                              {"F8_E5M2", 1},
                                              {"I64", 8},
                                              {"I32", 4},
                                              {"I16", 2},
                                              {"I8", 1},
                                              {"U64", 8},
                                              {"U32", 4},
                                              {"U16", 2},
                                              {"U8", 1},
                                              {"BOOL", 1}}};

struct QuantFacts {
  std::string_view name;
  BlockSize block;
};

QuantFacts quant_facts(QuantType type) {
  switch (type) {
    case QuantType::Q4_0:
      return {"Q4_0", {32, 18}};
    case QuantType::Q4_1:
      return {"Q4_1", {32, 20}};
    case QuantType::Q5_0:
      return {"Q5_0", {32, 22}};
    case QuantType::Q5_1:
      return {"Q5_1", {32, 24}};
    case QuantType::Q8_0:
      return {"Q8_0", {32, 34}};
    case QuantType::Q4_K:
      return {"Q4_K", {256, 144}};
    case QuantType::Q5_K:
      return {"Q5_K", {256, 176}};
    case QuantType::Q6_K:
      return {"Q6_K", {256, 210}};
    case QuantType::Q2_K:
      return {"Q2_K", {256, 84}};
    case QuantType::Q3_K:
      return {"Q3_K", {256, 110}};
    case QuantType::Q8_K:
      return {"Q8_K", {256, 292}};
    case QuantType::IQ4_NL:
      return {"IQ4_NL", {32, 18}};
    case QuantType::IQ4_XS:
      return {"IQ4_XS", {256, 136}};
    case QuantType::TQ1_0:
      return {"TQ1_0", {256, 54}};
    case QuantType::TQ2_0:
      return {"TQ2_0", {256, 66}};
    case QuantType::MXFP4:
      return {"MXFP4", {32, 17}};
  }
  return {"?", {1, 1}};
}

}  // namespace

std::int64_t dtype_bytes(DType dtype) { return kDTypes.at(static_cast<std::size_t>(dtype)).bytes; }

std::string_view dtype_name(DType dtype) { return kDTypes.at(static_cast<std::size_t>(dtype)).name; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kDTypes.size(); ++i) {
    if (kDTypes.at(i).name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

BlockSize block_size(StoredType type) {
  if (const auto* quant = std::get_if<QuantType>(&type)) return quant_facts(*quant).block;
  return {1, dtype_bytes(std::get<DType>(type))};
}

std::string_view type_name(StoredType type) {
  if (const auto* quant = std::get_if<QuantType>(&type)) return quant_facts(*quant).name;
  return dtype_name(std::get<DType>(type));
}

std::optional<std::int64_t> stored_bytes(StoredType type, std::span<const std::int64_t> shape) {
  const BlockSize block = block_size(type);
  // Zero dimensions are left out of the product, so that [0, 2^32, 2^32] overflows like [2^32, 2^32, 0].
  std::int64_t values = 1;
  bool empty = false;
  for (const std::int64_t dim : shape) {
    if (dim < 0) return std::nullopt;
    if (dim == 0) empty = true;
    if (dim != 0 && __builtin_mul_overflow(values, dim, &values)) return std::nullopt;
  }
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(values / block.values + (values % block.values != 0), block.bytes, &bytes)) {
    return std::nullopt;
  }
  return empty ? 0 : bytes;
}

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

}  // namespace lathe
