#include "model/train/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

// N tokens, n tokens of one chunk, D hidden_size, V vocabulary, E experts, K chosen

namespace lathe {
namespace {

// 64 MB of f32 logits: large enough for full speed, small beside the weights.
constexpr std::int64_t kChunkLogits = std::int64_t{1} << 24;

/// Narrow types are summed in f32; f64 stays, for the finite differences of the tests.
at::ScalarType sum_type(at::ScalarType type) { return type == at::kDouble ? at::kDouble : at::kFloat; }

struct Sums {
  at::Tensor next_token, kl;
  at::Tensor hidden_grad_ND, head_grad_VD;
};

at::Tensor log_probabilities(const at::Tensor& hidden_nD, const at::Tensor& head_VD) {
  return at::log_softmax(at::mm(hidden_nD, head_VD.t()), -1, sum_type(hidden_nD.scalar_type()));
}

/// Adds the chunk's losses to `sums` and returns the gradient of N * (next_token + kl_weight * kl) by its logits.
at::Tensor chunk_loss(const HeadLossInput& chunk, Sums& sums) {
  at::Tensor log_p_nV = log_probabilities(chunk.hidden_ND, chunk.head_VD);
  const at::Tensor index_n1 = chunk.targets_N.unsqueeze(1);
  sums.next_token.sub_(log_p_nV.gather(1, index_n1).sum());
  at::Tensor teacher_p_nV;
  if (chunk.teacher_hidden_ND.defined()) {
    const at::Tensor teacher_log_nV = log_probabilities(chunk.teacher_hidden_ND, chunk.teacher_head_VD);
    teacher_p_nV = teacher_log_nV.exp();
    // A probability that rounds to 0 has a finite logarithm here, so that 0 * log never becomes NaN.
    sums.kl.add_((teacher_p_nV * (teacher_log_nV - log_p_nV)).sum());
  }
  at::Tensor grad_nV = log_p_nV.exp_();
  if (teacher_p_nV.defined()) grad_nV.mul_(1.0 + chunk.kl_weight).sub_(teacher_p_nV, chunk.kl_weight);
  return grad_nV.scatter_add_(1, index_n1, at::ones_like(index_n1, grad_nV.options()).neg_());
}

Sums head_sums(const HeadLossInput& input, bool hidden_needs_grad, bool head_needs_grad) {
  const auto options = input.hidden_ND.options().dtype(sum_type(input.hidden_ND.scalar_type()));
  Sums sums{
      .next_token = at::zeros({}, options), .kl = at::zeros({}, options), .hidden_grad_ND = {}, .head_grad_VD = {}};
  if (hidden_needs_grad) sums.hidden_grad_ND = at::empty_like(input.hidden_ND);
  if (head_needs_grad) sums.head_grad_VD = at::zeros_like(input.head_VD, options);
  const std::int64_t tokens = input.hidden_ND.size(0);
  const std::int64_t step = std::max<std::int64_t>(1, kChunkLogits / input.head_VD.size(0));
  for (std::int64_t begin = 0; begin < tokens; begin += step) {
    HeadLossInput chunk = input;
    const std::int64_t end = std::min(tokens, begin + step);
    chunk.hidden_ND = input.hidden_ND.slice(0, begin, end);
    chunk.targets_N = input.targets_N.slice(0, begin, end);
    if (input.teacher_hidden_ND.defined()) chunk.teacher_hidden_ND = input.teacher_hidden_ND.slice(0, begin, end);
    const at::Tensor grad_nV = chunk_loss(chunk, sums).to(input.hidden_ND.scalar_type());
    if (hidden_needs_grad) sums.hidden_grad_ND.slice(0, begin, end).copy_(at::mm(grad_nV, input.head_VD));
    if (head_needs_grad) sums.head_grad_VD.add_(at::mm(grad_nV.t(), chunk.hidden_ND));
  }
  if (head_needs_grad) sums.head_grad_VD = sums.head_grad_VD.to(input.head_VD.scalar_type());
  return sums;
}

using Variables = torch::autograd::variable_list;

/// The gradients are ready when the loss is: backward only scales them.
struct HeadLossFunction : torch::autograd::Function<HeadLossFunction> {
  static Variables forward(torch::autograd::AutogradContext* context, const at::Tensor& hidden_ND,
                           const at::Tensor& head_VD, HeadLossInput input) {
    input.hidden_ND = hidden_ND;
    input.head_VD = head_VD;
    const bool hidden_needs_grad = hidden_ND.requires_grad(), head_needs_grad = head_VD.requires_grad();
    const at::NoGradGuard no_grad;
    Sums sums = head_sums(input, hidden_needs_grad, head_needs_grad);
    const double scale = 1.0 / static_cast<double>(hidden_ND.size(0));
    context->save_for_backward({sums.hidden_grad_ND, sums.head_grad_VD});
    context->saved_data["scale"] = scale;
    const at::Tensor next_token = sums.next_token.mul_(scale);
    const at::Tensor kl = sums.kl.mul_(scale);
    const at::Tensor weighted = next_token + kl * input.kl_weight;
    context->mark_non_differentiable({next_token, kl});
    return {weighted, next_token, kl};
  }

  static Variables backward(torch::autograd::AutogradContext* context, const Variables& grads) {
    const Variables saved = context->get_saved_variables();
    const at::Tensor scale = grads[0] * context->saved_data["scale"].toDouble();
    const auto scaled = [&](const at::Tensor& grad) {
      return grad.defined() ? grad * scale.to(grad.scalar_type()) : at::Tensor();
    };
    return {scaled(saved[0]), scaled(saved[1]), at::Tensor()};
  }
};

}  // namespace

HeadLoss head_loss(const HeadLossInput& input) {
  const Variables out = HeadLossFunction::apply(input.hidden_ND, input.head_VD, input);
  return {.weighted = out[0], .next_token = out[1], .kl = out[2]};
}

at::Tensor expert_counts(const RouterRecord& record) {
  // bincount would wait for the GPU to learn the largest number.
  const at::Tensor expert_1E = at::arange(record.logits_NE.size(1), record.choice_NK.options()).unsqueeze(0);
  return record.choice_NK.reshape({-1, 1}).eq(expert_1E).sum(0, /*keepdim=*/false, at::kFloat);
}

at::Tensor balance_loss(const RouterRecord& record, const at::Tensor& counts_E, RouterKind router) {
  const at::Tensor logits_NE = record.logits_NE.to(sum_type(record.logits_NE.scalar_type()));
  at::Tensor share_NE;
  if (router == RouterKind::Softmax) {
    share_NE = at::softmax(logits_NE, -1);
  } else {
    const at::Tensor scores_NE = at::sigmoid(logits_NE);
    share_NE = scores_NE / (scores_NE.sum(-1, /*keepdim=*/true) + 1e-20);
  }
  const at::Tensor load_E = counts_E / static_cast<double>(record.choice_NK.numel());
  return (share_NE.mean(0) * load_E).sum() * static_cast<double>(record.logits_NE.size(1));
}

}  // namespace lathe
