#include "model/nn/router.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/topk.h>

#include <limits>

namespace lathe {

namespace {

// Scores of the experts outside the best groups are set to minus infinity.
at::Tensor keep_best_groups(const FeedForwardConfig& config, const at::Tensor& scores_NE) {
  const std::int64_t in_group = config.num_experts / config.n_group;
  const at::Tensor grouped_NGX = scores_NE.view({scores_NE.size(0), config.n_group, in_group});
  const std::int64_t judges = config.router == RouterKind::Sigmoid ? 2 : 1;
  const at::Tensor group_scores_NG = std::get<0>(at::topk(grouped_NGX, judges, -1)).sum(-1);
  const at::Tensor best = std::get<1>(at::topk(group_scores_NG, config.topk_group, -1));
  const at::Tensor is_out_NG = at::ones_like(group_scores_NG, at::kBool).scatter_(1, best, false);
  return grouped_NGX.masked_fill(is_out_NG.unsqueeze(-1), -std::numeric_limits<double>::infinity())
      .view(scores_NE.sizes());
}

}  // namespace

Routing route(const FeedForwardConfig& config, const MoeFeedForward& weights, const at::Tensor& x_ND) {
  const bool is_sigmoid = config.router == RouterKind::Sigmoid;
  // The reference computes sigmoid routers in fp32 throughout, softmax routers from logits in the model's dtype.
  Routing routing;
  const auto scored = [&](const at::Tensor& x, at::ScalarType dtype) {
    const at::Tensor& bias_E = weights.router_bias_E;
    return at::linear(x.to(dtype), weights.router_ED.to(dtype),
                      bias_E.defined() ? std::optional(bias_E.to(dtype)) : std::nullopt);
  };
  routing.logits_NE = scored(x_ND, is_sigmoid ? at::kFloat : x_ND.scalar_type());
  const at::Tensor logits_NE = routing.logits_NE.to(at::kFloat);
  const at::Tensor scores_NE = is_sigmoid ? at::sigmoid(logits_NE) : at::softmax(logits_NE, -1);
  at::Tensor for_choice_NE =
      weights.correction_bias_E.defined() ? scores_NE.detach() + weights.correction_bias_E : scores_NE.detach();
  if (config.n_group > 1) for_choice_NE = keep_best_groups(config, for_choice_NE);
  routing.choice_NK = std::get<1>(at::topk(for_choice_NE, config.num_experts_per_tok, -1));
  if (config.unit_weights) {
    routing.weights_NK = at::ones_like(routing.choice_NK, at::kFloat);
    return routing;
  }
  routing.weights_NK = scores_NE.gather(1, routing.choice_NK);
  if (config.norm_topk_prob) {
    const double epsilon = is_sigmoid ? 1e-20 : 0.0;  // all sigmoids may be 0; of probabilities one is at least 1/E
    routing.weights_NK = routing.weights_NK / (routing.weights_NK.sum(-1, /*keepdim=*/true) + epsilon);
  }
  if (config.routed_scaling_factor != 1.0) routing.weights_NK = routing.weights_NK * config.routed_scaling_factor;
  return routing;
}

}  // namespace lathe
