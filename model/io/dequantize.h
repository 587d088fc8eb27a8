#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "model/io/dtype.h"

namespace lathe {

/// Writes `out.size()` values stored as `type` in `bytes` as f32. Any alignment of `bytes`.
/// Quantised types equal ggml's and the `gguf` package's values bit for bit. Bools become 0 and 1; I64, U64 and F64
/// round. Throws Error if `bytes` has not exactly the size that `out.size()` values take.
void dequantize(StoredType type, std::span<const std::byte> bytes, std::span<float> out);

/// Rounds to bf16 bit patterns, to nearest even; NaN stays NaN. Spans have equal size.
void bf16_from_f32(std::span<const float> values, std::span<std::uint16_t> out);

}  // namespace lathe
