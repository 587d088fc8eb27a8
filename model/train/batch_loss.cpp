#include "model/train/batch_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "model/nn/forward.h"
#include "model/nn/rms_norm.h"
#include "model/train/loss.h"

// B batch, T tokens, N = B T, D hidden_size, E experts

namespace lathe {
namespace {

struct LayerRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Runs some layers of a model. The hooks let a cancelled job leave the backward pass between two layers.
at::Tensor run_layers(const Model& model, LayerRange range, at::Tensor x_BTD,
                      const std::pair<const ForwardOptions*, const Job*>& with) {
  const auto [options, job] = with;
  if (range.begin == range.end) return x_BTD;
  const BlockContext context = make_block_context(model, {0, x_BTD.size(1)}, *options);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    job->check();
    x_BTD = block_forward(model, i, x_BTD, context);
    if (x_BTD.requires_grad()) x_BTD.register_hook([job = job](const at::Tensor&) { job->check(); });
  }
  return x_BTD;
}

at::Tensor finish(const Model& model, const at::Tensor& x_BTD) {
  return rms_norm(x_BTD, model.norm_D, model.config.rms_norm_eps).reshape({-1, x_BTD.size(-1)});
}

void add_balance(const BatchLossInput& input, const std::vector<RouterRecord>& routers, BatchLoss& loss) {
  loss.balance = at::zeros({}, loss.next_token.options());
  if (routers.empty()) return;
  for (const RouterRecord& record : routers) {
    const Layer& layer = *input.model->layers[static_cast<std::size_t>(record.layer)];
    const at::Tensor counts_E = expert_counts(record);
    const at::Tensor balance = balance_loss(record, counts_E, layer.config.feed_forward.router);
    loss.balance = loss.balance + balance;
    loss.routers.push_back({record.layer, counts_E, balance.detach()});
  }
  loss.balance = loss.balance / static_cast<double>(routers.size());
  loss.weighted = loss.weighted + loss.balance * input.balance_weight;
  loss.balance = loss.balance.detach();
}

}  // namespace

BatchLoss batch_loss(const BatchLossInput& input, const at::Tensor& batch_BT, const Job& job) {
  const Model& model = *input.model;
  const at::Tensor ids_BT = batch_BT.slice(1, 0, -1).to(model.device());
  const std::int64_t layers = model.config.num_layers();
  std::vector<RouterRecord> routers;
  const ForwardOptions options{.cache = nullptr, .probe = input.probe, .routers = &routers};
  const ForwardOptions teacher_options;

  at::Tensor x_BTD, teacher_ND;
  {
    const at::AutoGradMode grad_mode(at::GradMode::is_enabled() && model.embed_VD.requires_grad());
    x_BTD = at::embedding(model.embed_VD, ids_BT);
  }
  const std::int64_t teacher_layers = input.teacher == nullptr ? 0 : input.teacher->config.num_layers();
  const std::int64_t shared = input.teacher == nullptr ? 0 : std::min(input.shared_layers, input.frozen_layers);
  {
    const at::NoGradGuard no_grad;
    x_BTD = run_layers(model, {0, shared}, x_BTD, {&options, &job});
    if (input.teacher != nullptr) {
      const at::Tensor teacher_BTD = shared > 0 ? x_BTD : at::embedding(input.teacher->embed_VD, ids_BT);
      teacher_ND = finish(*input.teacher,
                          run_layers(*input.teacher, {shared, teacher_layers}, teacher_BTD, {&teacher_options, &job}));
    }
    x_BTD = run_layers(model, {shared, input.frozen_layers}, x_BTD, {&options, &job});
  }
  x_BTD = run_layers(model, {input.frozen_layers, layers}, x_BTD, {&options, &job});
  const at::Tensor hidden_ND = finish(model, x_BTD);

  const HeadLoss head =
      head_loss({.hidden_ND = hidden_ND,
                 .head_VD = model.lm_head_VD,
                 .targets_N = batch_BT.slice(1, 1).reshape({-1}).to(model.device()),
                 .teacher_hidden_ND = teacher_ND,
                 .teacher_head_VD = input.teacher == nullptr ? at::Tensor() : input.teacher->lm_head_VD,
                 .kl_weight = input.kl_weight});
  BatchLoss loss{.weighted = head.weighted, .next_token = head.next_token, .kl = head.kl, .balance = {}, .routers = {}};
  add_balance(input, routers, loss);
  return loss;
}

}  // namespace lathe
