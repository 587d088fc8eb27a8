#include "converters/fisher.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/multinomial.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "model/nn/forward.h"
#include "model/train/loss.h"

// B windows, T tokens, N tokens of some windows, D hidden_size, M joint width of keys and values

namespace lathe {
namespace {

constexpr std::int64_t kTokensOfLogits = 64;

/// Keys and values of one window that will have gradients.
using Taken = std::map<std::int64_t, std::pair<at::Tensor, at::Tensor>>;

at::Tensor with_gradient(const at::Tensor& value) {
  at::Tensor tensor = value;
  if (tensor.requires_grad()) {
    tensor.retain_grad();
  } else {
    tensor.set_requires_grad(true);  // of the first layer: nothing before it has a gradient
  }
  return tensor;
}

Probe probe_into(Taken& taken, const std::set<std::int64_t>& layers) {
  return {[&layers](std::string_view name, std::int64_t layer) {
            return (name == tap::kKey || name == tap::kValue) && layers.contains(layer);
          },
          [&taken](std::string_view name, std::int64_t layer, const at::Tensor& value) {
            (name == tap::kKey ? taken[layer].first : taken[layer].second) = with_gradient(value);
          }};
}

at::Tensor drawn_labels(const Model& model, const at::Tensor& hidden_ND, const at::Generator& generator) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> labels;
  for (std::int64_t first = 0; first < hidden_ND.size(0); first += kTokensOfLogits) {
    const std::int64_t count = std::min(kTokensOfLogits, hidden_ND.size(0) - first);
    const at::Tensor logits_NV = output_logits(model, hidden_ND.narrow(0, first, count)).to(at::kFloat);
    labels.push_back(at::multinomial(at::softmax(logits_NV, -1).cpu(), 1, /*replacement=*/false, generator).squeeze(1));
  }
  return at::cat(labels).to(hidden_ND.device());
}

void add_window(const FisherTask& task, const at::Tensor& ids_1T, const at::Generator& generator,
                std::map<std::int64_t, at::Tensor>& sums) {
  Taken taken;
  const Probe probe = probe_into(taken, task.layers);
  const at::AutoGradMode grad_mode(true);
  const at::Tensor hidden_ND = hidden_states(task.model, ids_1T, {.probe = &probe}).flatten(0, 1);
  const HeadLossInput input{.hidden_ND = hidden_ND,
                            .head_VD = task.model.lm_head_VD,
                            .targets_N = drawn_labels(task.model, hidden_ND.detach(), generator),
                            .teacher_hidden_ND = {},
                            .teacher_head_VD = {}};
  (head_loss(input).weighted * static_cast<double>(hidden_ND.size(0))).backward();
  const at::NoGradGuard no_grad;
  for (const auto& [layer, kv] : taken) {
    const at::Tensor grad_NM = at::cat({kv.first.grad(), kv.second.grad()}, -1).flatten(0, 1).to(at::kFloat);
    const at::Tensor moment_MM = grad_NM.t().matmul(grad_NM).to(at::kDouble);
    at::Tensor& sum_MM = sums[layer];
    sum_MM = sum_MM.defined() ? sum_MM.add_(moment_MM) : moment_MM;
  }
}

}  // namespace

std::map<std::int64_t, at::Tensor> fisher_moments(const FisherTask& task) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(task.seed);
  std::map<std::int64_t, at::Tensor> moments;
  const at::Tensor ids_BT = task.ids_BT.to(task.model.device());
  for (std::int64_t window = 0; window < ids_BT.size(0); ++window) {
    task.tick(0);
    add_window(task, ids_BT.narrow(0, window, 1), generator, moments);
    task.tick(kFisherPasses * task.model.config.num_layers());
  }
  for (auto& [layer, moment_MM] : moments) moment_MM.div_(static_cast<double>(ids_BT.numel()));
  return moments;
}

}  // namespace lathe
