#include "model/nn/router.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/topk.h>

namespace lathe {

Routing route(const FeedForwardConfig& config, const MoeFeedForward& weights, const at::Tensor& x_ND) {
  const bool is_sigmoid = config.router == RouterKind::Sigmoid;
  // The reference computes sigmoid routers in fp32 throughout, softmax routers from logits in the model's dtype.
  Routing routing;
  routing.logits_NE = is_sigmoid ? at::linear(x_ND.to(at::kFloat), weights.router_ED.to(at::kFloat))
                                 : at::linear(x_ND, weights.router_ED);
  const at::Tensor logits_NE = routing.logits_NE.to(at::kFloat);
  const at::Tensor scores_NE = is_sigmoid ? at::sigmoid(logits_NE) : at::softmax(logits_NE, -1);
  const at::Tensor for_choice_NE =
      weights.correction_bias_E.defined() ? scores_NE.detach() + weights.correction_bias_E : scores_NE.detach();
  routing.choice_NK = std::get<1>(at::topk(for_choice_NE, config.num_experts_per_tok, -1));
  routing.weights_NK = scores_NE.gather(1, routing.choice_NK);
  if (config.norm_topk_prob) {
    const double epsilon = is_sigmoid ? 1e-20 : 0.0;  // all sigmoids may be 0; of probabilities one is at least 1/E
    routing.weights_NK = routing.weights_NK / (routing.weights_NK.sum(-1, /*keepdim=*/true) + epsilon);
  }
  if (config.routed_scaling_factor != 1.0) routing.weights_NK = routing.weights_NK * config.routed_scaling_factor;
  return routing;
}

}  // namespace lathe
