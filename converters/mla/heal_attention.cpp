#include "converters/mla/heal_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "converters/mla/measure_attention.h"
#include "converters/windows.h"
#include "model/train/adamw.h"
#include "model/train/schedule.h"

// B windows, T tokens of each, D hidden_size, H heads, N qk_nope_head_dim, P qk_rope_head_dim, W v_head_dim,
// R kv_lora_rank

namespace lathe {
namespace {

constexpr std::int64_t kTokensOfAStep = 2048;
constexpr double kRate = 2e-3;          // of a part's rms; twice as much diverges
constexpr double kSmallestSize = 1e-4;  // of parts that are zero, biases say
constexpr double kSmallestTarget = 1e-30;

std::int64_t windows_of_a_step(std::int64_t windows, std::int64_t tokens) {
  return std::clamp<std::int64_t>(kTokensOfAStep / tokens, 1, windows);
}

/// A weight as its size times what trains: Adam's steps do not know the size of a gradient, so that one rate for all
/// parts is a rate in proportion to each one's size.
struct Part {
  double size = 0.0;
  at::Tensor unit;

  explicit Part(const at::Tensor& weight)
      : size(std::max(weight.square().mean().sqrt().item<double>(), kSmallestSize)),
        unit((weight / size).contiguous().set_requires_grad(true)) {}

  at::Tensor weight() const { return unit * size; }
};

/// The parts of an attention that have sizes of their own.
class TrainedAttention {
 public:
  TrainedAttention(const LatentAttention& attention, const AttentionConfig& config) : attention_(attention) {
    const std::int64_t nope = config.qk_nope_head_dim, rope = config.qk_rope_head_dim, rank = config.kv_lora_rank;
    const at::Tensor q_HXD = attention.q.weight_OI.unflatten(0, {-1, nope + rope});
    const at::Tensor kv_b_HXR = attention.kv_b.weight_OI.unflatten(0, {-1, nope + config.v_head_dim});
    const at::Tensor& kv_a_OD = attention.kv_a.weight_OI;
    add({q_HXD.narrow(1, 0, nope), q_HXD.narrow(1, nope, rope), kv_a_OD.narrow(0, 0, rank),
         kv_a_OD.narrow(0, rank, rope), kv_b_HXR.narrow(1, 0, nope), kv_b_HXR.narrow(1, nope, config.v_head_dim),
         attention.o.weight_OI, attention.o.bias_O});
  }

  LatentAttention now() const {
    LatentAttention made = attention_;
    made.q.weight_OI = at::cat({parts_[0].weight(), parts_[1].weight()}, 1).flatten(0, 1);
    made.kv_a.weight_OI = at::cat({parts_[2].weight(), parts_[3].weight()});
    made.kv_b.weight_OI = at::cat({parts_[4].weight(), parts_[5].weight()}, 1).flatten(0, 1);
    made.o = {parts_[6].weight(), parts_[7].weight()};
    return made;
  }

  std::vector<at::Tensor> units() const {
    std::vector<at::Tensor> units;
    for (const Part& part : parts_) units.push_back(part.unit);
    return units;
  }

 private:
  void add(const std::vector<at::Tensor>& weights) {
    for (const at::Tensor& weight : weights) parts_.emplace_back(weight);
  }

  LatentAttention attention_;
  std::vector<Part> parts_;
};

TrainSettings schedule_of(std::int64_t steps) {
  TrainSettings schedule;
  schedule.lr = kRate;
  schedule.steps = steps;
  schedule.warmup_steps = std::min<std::int64_t>(5, steps);
  schedule.min_lr_ratio = 0.0;
  return schedule;
}

at::Tensor targets_of(const AttentionTask& task) {
  const Layer original = with_fp32_attention(task.layer, task.index);
  const at::Tensor x_BTD = task.x_BTD.to(at::kFloat);
  at::Tensor y_BTD = at::empty_like(x_BTD);
  for_windows(x_BTD, [&](std::int64_t first, std::int64_t count) {
    y_BTD.narrow(0, first, count)
        .copy_(attention_forward(task.config, original, task.index, x_BTD.narrow(0, first, count), task.context));
    task.tick("heal", count);
  });
  return y_BTD;
}

std::vector<at::Tensor> take_gradients(const std::vector<at::Tensor>& units) {
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& unit : units) {
    gradients.push_back(unit.grad());
    unit.mutable_grad().reset();
  }
  return gradients;
}

}  // namespace

std::int64_t heal_passes(std::int64_t windows, std::int64_t tokens, std::int64_t steps) {
  return windows + steps * windows_of_a_step(windows, tokens);
}

void even_out_pairs(LatentAttention& attention, const AttentionConfig& config) {
  const std::int64_t nope = config.qk_nope_head_dim, rope = config.qk_rope_head_dim;
  const at::Tensor q_HPD = attention.q.weight_OI.unflatten(0, {-1, nope + rope}).narrow(1, nope, rope);
  const at::Tensor k_PD = attention.kv_a.weight_OI.narrow(0, config.kv_lora_rank, rope);
  const at::Tensor of_queries_J = q_HPD.square().mean(0).unflatten(0, {2, rope / 2}).sum(at::IntArrayRef({0, 2}));
  const at::Tensor of_keys_J = k_PD.square().unflatten(0, {2, rope / 2}).sum(at::IntArrayRef({0, 2}));
  const at::Tensor ratio_J = (of_queries_J / of_keys_J).pow(0.25);
  const at::Tensor scale_P = at::where(ratio_J.isfinite() & (ratio_J > 0), ratio_J, 1.0).repeat({2});
  const auto scale = [&](const Linear& linear, std::int64_t heads, std::int64_t first, const at::Tensor& by_P) {
    linear.weight_OI.unflatten(0, {heads, -1}).narrow(1, first, rope).mul_(by_P.unsqueeze(1));
    if (linear.bias_O.defined()) linear.bias_O.unflatten(0, {heads, -1}).narrow(1, first, rope).mul_(by_P);
  };
  scale(attention.kv_a, 1, config.kv_lora_rank, scale_P);
  scale(attention.q, q_HPD.size(0), nope, scale_P.reciprocal());
}

LatentAttention heal_attention(const AttentionTask& task, const Layer& converted, std::int64_t steps) {
  const std::int64_t windows = task.x_BTD.size(0), tokens = task.x_BTD.size(1);
  const at::Tensor x_BTD = task.x_BTD.to(at::kFloat), y_BTD = targets_of(task);
  const double size = y_BTD.square().mean().clamp_min(kSmallestTarget).item<double>();
  TrainedAttention trained(std::get<LatentAttention>(converted.attention), converted.config.attention);
  const std::vector<at::Tensor> units = trained.units();
  AdamW adam(units, {.beta1 = 0.9, .beta2 = 0.98});
  const TrainSettings schedule = schedule_of(steps);
  const at::Tensor no_skip = at::zeros({}, x_BTD.options());
  const std::int64_t count = windows_of_a_step(windows, tokens);
  Layer layer = converted;
  for (std::int64_t step = 1; step <= steps; ++step) {
    const at::Tensor chosen =
        at::arange((step - 1) * count, step * count, at::kLong).remainder(windows).to(x_BTD.device());
    {
      const at::AutoGradMode grad_mode(true);
      layer.attention = trained.now();
      const at::Tensor made_BTD =
          attention_forward(task.config, layer, task.index, x_BTD.index_select(0, chosen), task.context);
      const at::Tensor wrong_BTD = (made_BTD - y_BTD.index_select(0, chosen)).slice(1, 1);
      (wrong_BTD.square().sum() / size).backward();
    }
    adam.step(take_gradients(units), learning_rate(schedule, step), no_skip);
    task.tick("heal", count);
  }
  return trained.now();
}

}  // namespace lathe
