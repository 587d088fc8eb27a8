#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/io/tokenizer.h"
#include "model/nn/layer.h"

namespace lathe::test {

/// What one layer of a tiny model is made of: "gqa" or "mla", "dense" or "moe".
struct TinyLayer {
  std::string attention = "gqa";
  std::string feed_forward = "dense";
};

/// A random fp32 network over bytes: vocabulary 257 (256 is the end of a text), hidden 32, 4 query and 2 key heads of
/// 8, MLA with rank 12, MoE with 4 experts of which 2 are chosen. The same seed gives the same weights. Its logits are
/// spread enough that greedy choices are far from ties.
Model tiny_model(const std::vector<TinyLayer>& layers, std::uint64_t seed = 0);

/// One layer of every kind: GQA and MLA, dense and MoE.
Model tiny_mixed_model(std::uint64_t seed = 0);

/// The tokenizer of tiny_model: each byte is a token of its value; 256 is "<|end|>", special, and ends a text.
Tokenizer byte_tokenizer();

/// Pseudo-random ids below 256.
std::vector<std::int32_t> random_ids(std::size_t count, std::uint64_t seed = 0);

}  // namespace lathe::test
