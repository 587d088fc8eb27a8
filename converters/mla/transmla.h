#pragma once

#include "converters/mla/method.h"

namespace lathe {

/// TransMLA: merge -> rotate (RoRoPE, FreqFold) -> partial rope -> balance -> low rank -> absorb, the error measured
/// after each. Statistics are uncentred second moments in fp64, memory is that of one layer. Exact when every pair
/// keeps RoPE (qk_rope_head_dim = G * K), freqfold is 1 and the rank is full (G * K). Source: arXiv:2502.07864 and its
/// code (transmla/{partial_rope,lora_qkv}.py).
AttentionResult transmla(const AttentionTask& task);

}  // namespace lathe
