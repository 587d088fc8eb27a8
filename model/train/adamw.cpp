#include "model/train/adamw.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <utility>

namespace lathe {

AdamW::AdamW(std::vector<at::Tensor> weights, const AdamWOptions& options)
    : weights_(std::move(weights)), options_(options) {
  Group matrices{.members = {}, .weight_decay = options_.weight_decay}, vectors;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    first_.push_back(at::zeros_like(weights_[i]));
    second_.push_back(at::zeros_like(weights_[i]));
    (weights_[i].dim() >= 2 ? matrices : vectors).members.push_back(i);
  }
  for (Group* group : {&matrices, &vectors}) {
    if (!group->members.empty()) groups_.push_back(std::move(*group));
  }
  updates_ = at::zeros({}, weights_.empty() ? at::TensorOptions(at::kFloat) : weights_.front().options());
}

void AdamW::step(const std::vector<at::Tensor>& grads, double lr, const at::Tensor& skip) {
  updates_.add_(1).sub_(skip);
  // A skipped first update would divide by 1 - beta^0 = 0 before it finds out that it is skipped.
  const at::Tensor count = updates_.clamp_min(1.0);
  for (const Group& group : groups_) {
    std::vector<at::Tensor> weights, gradients, first, second, steps(group.members.size(), count);
    for (const std::size_t i : group.members) {
      weights.push_back(weights_[i]);
      gradients.push_back(grads[i]);
      first.push_back(first_[i]);
      second.push_back(second_[i]);
    }
    at::_fused_adamw_(weights, gradients, first, second, /*max_exp_avg_sqs=*/{}, steps, lr, options_.beta1,
                      options_.beta2, group.weight_decay, options_.eps, /*amsgrad=*/false, /*maximize=*/false,
                      /*grad_scale=*/std::nullopt, /*found_inf=*/skip);
  }
}

at::Tensor global_norm(const std::vector<at::Tensor>& tensors) {
  return at::linalg_vector_norm(at::stack(at::_foreach_norm(tensors, 2)));
}

void clip_to_norm(std::vector<at::Tensor>& grads, const at::Tensor& norm, double max_norm) {
  at::_foreach_mul_(grads, (max_norm / (norm + 1e-6)).clamp_max(1.0));
}

}  // namespace lathe
