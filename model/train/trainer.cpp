#include "model/train/trainer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/cpu/Utils.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/sign.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "model/data/error.h"
#include "model/train/schedule.h"

// B batch, T tokens, E experts

namespace lathe {
namespace {

constexpr std::int64_t kMostSkippedInRow = 5;

bool multiplies_bf16_fast(const at::Device& device) {
  if (!device.is_cpu()) return true;
  const auto capabilities = at::cpu::get_cpu_capabilities();
  const auto has = [&](const char* name) {
    const auto found = capabilities.find(name);
    return found != capabilities.end() && found->second.toBool();
  };
  return has("amx_bf16") || has("avx512_bf16");
}

at::ScalarType compute_type(TrainPrecision precision, const Model& model) {
  if (precision == TrainPrecision::F32) return at::kFloat;
  if (precision == TrainPrecision::Bf16) return at::kBFloat16;
  return multiplies_bf16_fast(model.device()) ? at::kBFloat16 : at::kFloat;
}

TrainInput checked(const TrainInput& input) {
  std::vector<std::string> problems = train_problems(input.settings);
  if (input.settings.kl_weight > 0 && input.teacher == nullptr) {
    problems.push_back("kl_weight is above 0, but there is no original model to compare to");
  }
  if (input.teacher != nullptr && input.teacher->config.vocab_size != input.model->config.vocab_size) {
    problems.push_back(text("the teacher's vocabulary has ", input.teacher->config.vocab_size, " tokens, the model's ",
                            input.model->config.vocab_size, "; a teacher needs the same tokenizer"));
  }
  const std::int64_t vocab_size = input.model->config.vocab_size;
  if (input.fit_ids_N.numel() > 0 &&
      (input.fit_ids_N.min().item<std::int64_t>() < 0 || input.fit_ids_N.max().item<std::int64_t>() >= vocab_size)) {
    problems.push_back(text("the text has tokens outside the model's vocabulary of ", vocab_size,
                            "; its tokenizer is another model's"));
  }
  if (input.settings.seq_len > input.model->config.max_position_embeddings) {
    problems.push_back(text("seq_len is ", input.settings.seq_len, "; the model's context is ",
                            input.model->config.max_position_embeddings));
  }
  std::string all;
  for (const std::string& problem : problems) all += (all.empty() ? "" : "; ") + problem;
  check(problems.empty(), "[train] ", all);
  return input;
}

std::vector<at::Tensor> masters_of(const TrainedModel& trained) {
  std::vector<at::Tensor> masters;
  for (const TrainedWeight& weight : trained.weights) masters.push_back(weight.master.detach());
  return masters;
}

AdamWOptions adamw_options(const TrainSettings& settings) {
  return {.beta1 = settings.beta1, .beta2 = settings.beta2, .eps = settings.eps, .weight_decay = settings.weight_decay};
}

RouterLoad router_load(std::int64_t layer, const float* counts, std::int64_t num_experts) {
  RouterLoad router{.layer = layer, .load = std::vector<float>(counts, counts + num_experts)};
  float total = 0.0F;
  for (const float count : router.load) total += count;
  for (float& load : router.load) {
    router.dead += load == 0.0F ? 1 : 0;
    load /= total;
    if (load > 0.0F) router.entropy -= load * std::log(load);
    router.max_violation = std::max(router.max_violation, load * static_cast<float>(num_experts) - 1.0F);
  }
  return router;
}

}  // namespace

Trainer::Trainer(const TrainInput& input)
    : input_(checked(input)),
      dtype_(compute_type(input.settings.precision, *input.model)),
      cast_(dtype_),
      trained_(make_trained_model(*input.model, input.settings.trainable, dtype_, cast_)),
      batches_(input.fit_ids_N,
               {.seq_len = input.settings.seq_len, .batch = input.settings.batch, .seed = input.settings.seed}),
      optimizer_(masters_of(trained_), adamw_options(input.settings)) {
  if (input_.settings.kl_weight > 0) {
    teacher_ = cast_.model(*input_.teacher);
    if (input_.teacher->embed_VD.is_same(input_.model->embed_VD)) {
      const auto& ours = trained_.model.layers;
      const auto& theirs = teacher_->layers;
      shared_layers_ = std::ranges::mismatch(ours, theirs).in1 - ours.begin();
    }
  }
  cast_ = LayerCast(dtype_);  // what nobody shares is not kept
  drop_gradients();
}

std::int64_t Trainer::num_trained() const {
  std::int64_t values = 0;
  for (const TrainedWeight& weight : trained_.weights) values += weight.master.numel();
  return values;
}

void Trainer::drop_gradients() {
  for (TrainedWeight& weight : trained_.weights) weight.leaf.mutable_grad() = at::Tensor();
  gradients_.assign(trained_.weights.size(), at::Tensor());
}

/// Moves the leaves' gradients into the f32 sums. A leaf without one (an expert block that saw no token) adds nothing.
void Trainer::collect_gradients() {
  for (std::size_t i = 0; i < gradients_.size(); ++i) {
    at::Tensor& leaf = trained_.weights[i].leaf;
    const at::Tensor grad = leaf.grad();
    leaf.mutable_grad() = at::Tensor();
    if (!grad.defined()) continue;
    if (gradients_[i].defined()) {
      gradients_[i].add_(grad);
    } else {
      gradients_[i] = grad.to(at::kFloat).contiguous();
    }
  }
}

/// Loss and gradients over all micro-batches of the step: means of the losses, sums of the counts.
BatchLoss Trainer::run_batches(const Job& job, const Probe* probe) {
  const TrainSettings& settings = input_.settings;
  const BatchLossInput input{.model = &trained_.model,
                             .teacher = teacher_ ? &*teacher_ : nullptr,
                             .frozen_layers = trained_.first_layer,
                             .shared_layers = shared_layers_,
                             .balance_weight = settings.balance_weight,
                             .kl_weight = settings.kl_weight,
                             .probe = probe};
  const double share = 1.0 / static_cast<double>(settings.accumulate);
  BatchLoss sums;
  for (std::int64_t micro = 0; micro < settings.accumulate; ++micro) {
    const at::Tensor batch_BT = batches_.batch(steps_done_ * settings.accumulate + micro);
    BatchLoss loss = batch_loss(input, batch_BT, job);
    (loss.weighted * share).backward();
    collect_gradients();
    loss.weighted = loss.weighted.detach();
    if (micro == 0) {
      sums = std::move(loss);
      for (at::Tensor* part : {&sums.weighted, &sums.next_token, &sums.kl, &sums.balance}) *part = *part * share;
      for (RouterUse& router : sums.routers) router.balance = router.balance * share;
      continue;
    }
    sums.weighted = sums.weighted + loss.weighted * share;
    sums.next_token = sums.next_token + loss.next_token * share;
    sums.kl = sums.kl + loss.kl * share;
    sums.balance = sums.balance + loss.balance * share;
    for (std::size_t i = 0; i < sums.routers.size(); ++i) {
      sums.routers[i].counts_E.add_(loss.routers[i].counts_E);
      sums.routers[i].balance = sums.routers[i].balance + loss.routers[i].balance * share;
    }
  }
  return sums;
}

/// Auxiliary-loss-free balancing: an expert with less than its share is preferred a little more from now on.
/// Source: arXiv:2408.15664, algorithm 1.
void Trainer::update_biases(const BatchLoss& sums, const at::Tensor& skip) {
  for (TrainedBias& bias : trained_.biases) {
    const auto found = std::ranges::find(sums.routers, bias.layer, &RouterUse::layer);
    if (found == sums.routers.end()) continue;
    const at::Tensor direction_E = at::sign(found->counts_E.mean() - found->counts_E) * (1 - skip);
    bias.bias_E.add_(direction_E.to(bias.bias_E.scalar_type()), input_.settings.bias_update_speed);
  }
}

/// The one place that waits for the device: every figure of the step comes over in one tensor.
TrainStep Trainer::read_back(const BatchLoss& sums, const at::Tensor& norm) const {
  std::vector<at::Tensor> figures = {sums.weighted, sums.next_token, sums.balance, sums.kl, norm};
  for (const RouterUse& router : sums.routers) figures.insert(figures.end(), {router.balance, router.counts_E});
  for (at::Tensor& figure : figures) figure = figure.to(at::kFloat).reshape({-1});
  const at::Tensor all = at::cat(figures).cpu();
  const float* value = all.const_data_ptr<float>();
  TrainStep step;
  step.loss = value[0];
  step.next_token = value[1];
  step.balance = value[2];
  step.kl = value[3];
  step.grad_norm = value[4];
  value += 5;
  for (const RouterUse& router : sums.routers) {
    const float balance = *value++;
    step.routers.push_back(router_load(router.layer, value, router.counts_E.numel()));
    step.routers.back().balance = balance;
    value += router.counts_E.numel();
  }
  step.skipped = !std::isfinite(step.loss) || !std::isfinite(step.grad_norm);
  return step;
}

void Trainer::count_skipped(bool skipped) {
  skipped_ += skipped ? 1 : 0;
  skipped_in_row_ = skipped ? skipped_in_row_ + 1 : 0;
  check(skipped_in_row_ < kMostSkippedInRow, "[train] loss or gradient was not finite in ", kMostSkippedInRow,
        " steps in a row, up to step ", steps_done_,
        "; the weights are those of the last good step. Lower the learning rate, or continue from an earlier state");
}

TrainStep Trainer::step(const Job& job, const Probe* probe) {
  const TrainSettings& settings = input_.settings;
  const auto start = std::chrono::steady_clock::now();
  BatchLoss sums;
  try {
    sums = run_batches(job, probe);
    job.check();
  } catch (...) {
    drop_gradients();
    throw;
  }
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < gradients_.size(); ++i) {
    if (!gradients_[i].defined()) gradients_[i] = at::zeros_like(trained_.weights[i].master);
  }
  const double lr = learning_rate(settings, steps_done_ + 1);
  const at::Tensor norm = global_norm(gradients_);
  const at::Tensor finite = at::isfinite(norm).logical_and_(at::isfinite(sums.weighted));
  const at::Tensor skip = finite.logical_not_().to(at::kFloat);
  if (settings.max_grad_norm > 0) clip_to_norm(gradients_, norm, settings.max_grad_norm);
  optimizer_.step(gradients_, lr, skip);
  trained_.refresh_leaves();
  update_biases(sums, skip);
  drop_gradients();

  TrainStep step = read_back(sums, norm);
  step.step = ++steps_done_;
  step.steps = settings.steps;
  step.lr = static_cast<float>(lr);
  step.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  step.tokens_per_second = static_cast<double>(settings.batch * settings.seq_len * settings.accumulate) / step.seconds;
  count_skipped(step.skipped);
  return step;
}

}  // namespace lathe
