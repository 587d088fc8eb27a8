#pragma once

#include "converters/mla/method.h"

namespace lathe {

/// TransMLA: merge -> rotate (RoRoPE, FreqFold) -> partial rope -> balance -> low rank -> absorb, the error measured
/// after each. Statistics are uncentred second moments in fp64, memory is that of one layer. Exact when every pair
/// keeps RoPE (qk_rope_head_dim = G * K), freqfold is 1 and the rank is full (G * K).
/// Balance and low rank use the moments of the one pass over the text through the layers converted so far, turned along
/// with the keys. The reference makes a second pass, through the model whose RoPE is partial in every layer.
/// Source: arXiv:2502.07864 and its code (transmla/{partial_rope,lora_qkv}.py).
AttentionResult transmla(const AttentionTask& task);

}  // namespace lathe
