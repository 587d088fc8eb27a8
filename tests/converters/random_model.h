#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include <cmath>

#include "model/nn/layer.h"
#include "model/nn/names.h"
#include "model/nn/skeleton.h"

namespace lathe::test {

/// Small, but with everything that a conversion has to respect: groups of query heads, a head_dim that is not
/// hidden_size / heads, and an MLP of another width.
inline ModelConfig small_config(std::size_t layers = 3) {
  ModelConfig config;
  config.vocab_size = 61;
  config.hidden_size = 24;
  config.intermediate_size = 20;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 16;
  config.max_position_embeddings = 512;
  config.rope_theta = 1000.0;
  config.layers.resize(layers);
  return config;
}

/// Weights large enough for attention to be far from uniform, biases included where the config has them.
inline Model random_model(const ModelConfig& config, std::uint64_t seed = 1) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return map_model(model_skeleton(config), [&](const std::string& name, const at::Tensor& tensor) {
    const at::Tensor values = at::randn(tensor.sizes(), generator, at::kFloat);
    if (name.ends_with("norm.weight")) return 1.0 + 0.2 * values;
    if (tensor.dim() < 2) return 0.3 * values;
    return values * (1.3 / std::sqrt(static_cast<double>(tensor.size(-1))));
  });
}

/// Ids of `windows` random texts.
inline at::Tensor random_ids(const ModelConfig& config, std::int64_t windows, std::int64_t tokens) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(7);
  return at::randint(config.vocab_size, {windows, tokens}, generator, at::kLong);
}

}  // namespace lathe::test
