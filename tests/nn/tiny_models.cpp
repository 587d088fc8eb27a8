#include "tests/nn/tiny_models.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include <limits>

#include "model/nn/names.h"
#include "model/nn/skeleton.h"

namespace lathe {

ModelConfig tiny_config() {
  ModelConfig config;
  config.vocab_size = 40;
  config.hidden_size = 16;
  config.intermediate_size = 12;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 4;
  config.max_position_embeddings = 64;
  config.layers.resize(2);
  return config;
}

AttentionConfig tiny_mla() {
  return {.kind = AttentionKind::Mla,
          .kv_lora_rank = 10,
          .qk_nope_head_dim = 6,
          .qk_rope_head_dim = 4,
          .v_head_dim = 8,
          .rope_pairs = {1, 0}};
}

FeedForwardConfig tiny_moe() {
  return {.kind = FeedForwardKind::Moe, .num_experts = 4, .num_experts_per_tok = 2, .moe_intermediate_size = 12};
}

ModelConfig tiny_mixed_config() {
  ModelConfig config = tiny_config();
  config.layers[0].attention = tiny_mla();
  config.layers[1].feed_forward = tiny_moe();
  return config;
}

Model random_model(const ModelConfig& config, std::uint64_t seed) {
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  return map_model(model_skeleton(config), [&](const std::string& name, const at::Tensor& shape) {
    const at::Tensor normal = at::randn(shape.sizes(), generator);
    if (name.ends_with("norm.weight")) return 1 + 0.2 * normal;
    return (name.ends_with("bias") || name.ends_with("gate.weight") ? 0.5 : 0.25) * normal;
  });
}

at::Tensor random_ids(const ModelConfig& config, at::IntArrayRef batch_and_tokens, std::uint64_t seed) {
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  return at::randint(config.vocab_size, batch_and_tokens, generator, at::TensorOptions().dtype(at::kLong));
}

double max_difference(const at::Tensor& a, const at::Tensor& b) {
  const double infinity = std::numeric_limits<double>::infinity();
  if (a.sizes() != b.sizes()) return infinity;
  if (a.numel() == 0) return 0;
  const double difference =
      (a.detach().cpu().to(at::kDouble) - b.detach().cpu().to(at::kDouble)).abs().max().item<double>();
  return difference == difference ? difference : infinity;
}

}  // namespace lathe
