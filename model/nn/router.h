#pragma once

#include <ATen/core/Tensor.h>

#include "model/data/config.h"
#include "model/nn/layer.h"

namespace lathe {

// N tokens, D hidden_size, E experts, K chosen

/// Which experts each token goes to, and with which weight.
struct Routing {
  at::Tensor logits_NE;
  at::Tensor choice_NK;   ///< int64, in no particular order
  at::Tensor weights_NK;  ///< fp32; differentiable with respect to the router
};

/// Softmax: the K largest probabilities, renormalised if the config says so (Hugging Face Mixtral, Qwen2Moe).
/// Sigmoid: the K largest of score + correction bias; weights are the scores without it (DeepseekV3).
/// With groups the K are of the topk_group best groups, by their best expert (softmax, DeepseekV2) or the sum of their
/// two best (sigmoid, DeepseekV3).
/// Both times routed_scaling_factor. With unit_weights all chosen weights are 1, and the router learns by its balance
/// alone.
Routing route(const FeedForwardConfig& config, const MoeFeedForward& weights, const at::Tensor& x_ND);

}  // namespace lathe
