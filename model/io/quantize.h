#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/io/dtype.h"

namespace lathe {

/// Whether quantize can write this type: F32, F16, BF16, Q8_0 and Q4_0.
bool can_quantize(StoredType type);

/// The bytes of `values` stored as `type`, whole blocks of it, equal to those of the `gguf` package.
/// F16 and BF16 round to nearest even, and what is too large becomes infinite.
/// Throws Error if the type cannot be written or the values are not whole blocks.
/// Source: ggml src/ggml-quants.c (quantize_row_*_ref) and gguf-py quants.py.
std::vector<std::byte> quantize(StoredType type, std::span<const float> values);

}  // namespace lathe
