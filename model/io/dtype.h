#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace lathe {

/// Element types that hold one value in a fixed number of bytes. Names are those of safetensors.
enum class DType : std::uint8_t {
  F64,
  F32,
  F16,
  BF16,
  F8_E4M3,
  F8_E5M2,
  I64,
  I32,
  I16,
  I8,
  U64,
  U32,
  U16,
  U8,
  Bool,
};

/// Block-quantised types of GGUF. The numbers are those of the format.
enum class QuantType : std::uint32_t {
  Q4_0 = 2,
  Q4_1 = 3,
  Q5_0 = 6,
  Q5_1 = 7,
  Q8_0 = 8,
  Q2_K = 10,
  Q3_K = 11,
  Q4_K = 12,
  Q5_K = 13,
  Q6_K = 14,
  Q8_K = 15,
  IQ4_NL = 20,
  IQ4_XS = 23,
  TQ1_0 = 34,
  TQ2_0 = 35,
  MXFP4 = 39,
};

/// How a tensor's values are stored in a file.
using StoredType = std::variant<DType, QuantType>;

/// How many values a block holds and how many bytes it takes. Plain types are blocks of one.
struct BlockSize {
  std::int64_t values = 1;
  std::int64_t bytes = 1;
};

/// Bytes of one element.
std::int64_t dtype_bytes(DType dtype);

/// The name as safetensors writes it ("BF16").
std::string_view dtype_name(DType dtype);

/// The dtype that safetensors writes so, or nullopt.
std::optional<DType> dtype_from_name(std::string_view name);

/// Values and bytes of one block of `type`.
BlockSize block_size(StoredType type);

/// The name as safetensors ("BF16") or GGUF ("Q4_K") writes it.
std::string_view type_name(StoredType type);

/// Bytes that a tensor takes, or nullopt if a dimension is negative or a product overflows 63 bits.
std::optional<std::int64_t> stored_bytes(StoredType type, std::span<const std::int64_t> shape);

/// "[576, 1536]", for messages.
std::string shape_text(std::span<const std::int64_t> shape);

}  // namespace lathe
