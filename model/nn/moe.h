#pragma once

#include <ATen/core/Tensor.h>

#include "model/nn/forward.h"
#include "model/nn/layer.h"
#include "model/nn/router.h"

namespace lathe {

/// The routed experts' outputs, weighted and summed: x_ND -> [N,D]. Differentiable with respect to all of it.
/// Many tokens are sorted by expert and multiplied group by group; few take the weights of the chosen experts as they
/// lie.
at::Tensor routed_experts(const MoeFeedForward& weights, const at::Tensor& x_ND, const Routing& routing);

/// Routed experts plus the shared expert, if there is one: x [...,D] -> the same. Reports to the probe and appends a
/// RouterRecord as the context's options say.
at::Tensor moe_feed_forward(const Layer& layer, std::int64_t index, const at::Tensor& x, const BlockContext& context);

}  // namespace lathe
