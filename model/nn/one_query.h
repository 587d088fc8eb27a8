#pragma once

#include <ATen/core/Tensor.h>

#include "model/nn/attention.h"

namespace lathe {

/// Whether attend_one_query can do this: one new token on a CPU with AVX-512, f32 or bf16, widths of whole vectors, no
/// gradient wanted.
bool is_one_query(const AttentionInputs& inputs);

/// What attend() gives for a token that sees every key: softmax(scale q k^T) v -> [B,H,1,W], sums in fp32. Keys and
/// values are read where they lie in the cache, each once; the general operator spends most of such a call on set-up.
at::Tensor attend_one_query(const AttentionInputs& inputs);

}  // namespace lathe
