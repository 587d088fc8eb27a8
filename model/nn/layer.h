#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <variant>
#include <vector>

#include "model/data/config.h"

namespace lathe {

// Shape letters: V vocabulary, D hidden_size, H query heads, G key-value heads, K head_dim, R kv_lora_rank,
// N qk_nope_head_dim, P qk_rope_head_dim, W v_head_dim, F intermediate size, E experts, O/I rows/columns of a product.

/// y = x W^T + b. `bias_O` is undefined where there is none.
struct Linear {
  at::Tensor weight_OI;
  at::Tensor bias_O;
};

/// Grouped-query attention: q [H*K, D], k and v [G*K, D], o [D, H*K]. RoPE rows are half-split, as Hugging Face's
/// Llama.
struct GroupedQueryAttention {
  Linear q, k, v, o;
  at::Tensor q_norm_K{}, k_norm_K{};  ///< over each head, before RoPE; undefined unless the model has qk_norm
};

/// Multi-head latent attention, DeepSeek-V2 section 2.1.2, Hugging Face names in brackets.
/// q [H*(N+P), D] (q_proj; per head nope first, then rope), kv_a [R+P, D] (kv_a_proj_with_mqa; the shared rope key is
/// last), kv_a_norm_R (kv_a_layernorm; undefined if latent_norm is false), kv_b [H*(N+W), R] (per head k_nope, then v),
/// o [D, H*W]. RoPE rows are half-split within P; pair i turns with the model's frequency rope_pairs[i].
/// With q_lora_rank: q_a [Q, D], q_a_norm_Q and `q` is q_b [H*(N+P), Q]; else q_a is undefined.
struct LatentAttention {
  Linear q_a;
  at::Tensor q_a_norm_Q;
  Linear q;
  Linear kv_a;
  at::Tensor kv_a_norm_R;
  Linear kv_b;
  Linear o;
};

/// SwiGLU: down(silu(gate x) * up x). gate and up [F, D], down [D, F].
struct DenseFeedForward {
  Linear gate, up, down;
};

/// A router over E SwiGLU experts, and at most one shared expert that sees every token. What is undefined is not there.
struct MoeFeedForward {
  at::Tensor router_ED;
  at::Tensor router_bias_E{};
  at::Tensor correction_bias_E;     ///< added for the choice only (DeepSeek-V3); undefined for softmax routers
  at::Tensor experts_gate_up_E2FD;  ///< gate rows first
  at::Tensor experts_down_EDF;
  at::Tensor experts_down_bias_ED{};
  DenseFeedForward shared;    ///< weights undefined if there is none
  at::Tensor shared_gate_1D;  ///< Qwen2Moe's shared_expert_gate; undefined if there is none
};

/// One decoder block. Immutable once in a Model: changing a layer makes a new one.
struct Layer {
  LayerConfig config;
  at::Tensor attention_norm_D;
  std::variant<GroupedQueryAttention, LatentAttention> attention;
  at::Tensor feed_forward_norm_D;
  std::variant<DenseFeedForward, MoeFeedForward> feed_forward;
};

using LayerPtr = std::shared_ptr<const Layer>;

/// A whole network. Copying it copies handles: models share every layer that was not converted.
/// Its device and dtype are those of its tensors.
struct Model {
  ModelConfig config;
  at::Tensor embed_VD;
  std::vector<LayerPtr> layers;
  at::Tensor norm_D;
  at::Tensor lm_head_VD;  ///< the same tensor as embed_VD when tied

  at::Device device() const { return embed_VD.device(); }
  at::ScalarType dtype() const { return embed_VD.scalar_type(); }
};

using ModelPtr = std::shared_ptr<const Model>;

}  // namespace lathe
