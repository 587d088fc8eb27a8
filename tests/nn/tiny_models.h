#pragma once

#include <gmock/gmock.h>

#include <cstdint>
#include <ostream>

#include "model/data/config.h"
#include "model/nn/layer.h"

namespace at {

// For messages of failed expectations: the shape says enough, the values would fill the screen.
inline void PrintTo(const Tensor& tensor, std::ostream* out) { *out << tensor.scalar_type() << tensor.sizes(); }

}  // namespace at

namespace lathe {

/// A Llama of 2 layers, hidden 16, 4 query and 2 key-value heads of 4, vocabulary 40.
ModelConfig tiny_config();

/// MLA sizes that fit tiny_config(): latent 10, nope 6, rope 4 (pairs 1 and 0), value 8.
AttentionConfig tiny_mla();

/// MoE sizes that fit tiny_config(): 4 experts of 12, 2 chosen.
FeedForwardConfig tiny_moe();

/// tiny_config() with MLA in the first layer and MoE in the second.
ModelConfig tiny_mixed_config();

/// A model with normal random weights; norms are near 1.
Model random_model(const ModelConfig& config, std::uint64_t seed = 0);

/// Ids [batch, tokens] within the vocabulary.
at::Tensor random_ids(const ModelConfig& config, at::IntArrayRef batch_and_tokens, std::uint64_t seed = 1);

/// Largest absolute difference; infinity if the shapes differ or a value is not finite.
double max_difference(const at::Tensor& a, const at::Tensor& b);

/// Whether a tensor equals `expected` within `tolerance`, and how far it is.
MATCHER_P2(IsNear, expected, tolerance, "is within " + ::testing::PrintToString(tolerance)) {
  const double difference = max_difference(arg, expected);
  *result_listener << "largest difference " << difference;
  return difference <= tolerance;
}

}  // namespace lathe
