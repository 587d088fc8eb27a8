#include "converters/mla/lathe_mla.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/ones.h>

#include <utility>

#include "converters/mla/heal_attention.h"
#include "converters/mla/low_rank.h"
#include "converters/mla/measure_attention.h"
#include "converters/mla/merged_attention.h"
#include "converters/mla/rope_choice.h"
#include "converters/ridge.h"
#include "model/data/error.h"
#include "model/nn/forward.h"

// B windows, T tokens, N tokens of some windows, D hidden_size, X = D + 1

namespace lathe {
namespace {

constexpr double kRefitRidge = 0.01;

// E[x x^T] of the inputs with a one, fp64.
at::Tensor input_moment(const AttentionTask& task) {
  at::Tensor sum_XX;
  for_windows(task.x_BTD, [&](std::int64_t first, std::int64_t count) {
    const at::Tensor x_ND = task.x_BTD.narrow(0, first, count).flatten(0, 1).to(at::kFloat);
    const at::Tensor x_NX = at::cat({x_ND, at::ones({x_ND.size(0), 1}, x_ND.options())}, 1);
    const at::Tensor moment_XX = x_NX.t().matmul(x_NX).to(at::kDouble);
    sum_XX = sum_XX.defined() ? sum_XX.add_(moment_XX) : moment_XX;
    task.tick("calibrate", count);
  });
  return sum_XX / static_cast<double>(task.x_BTD.size(0) * task.x_BTD.size(1));
}

MergedAttention merged_with_moments(const AttentionTask& task, const at::Tensor& inputs_XX) {
  MergedAttention merged = merge_heads(task.config, std::get<GroupedQueryAttention>(task.layer.attention));
  const at::Tensor kv_MX = at::cat({merged.key_LX, merged.value_LX});
  merged.moment_MM = kv_MX.matmul(inputs_XX).matmul(kv_MX.t());
  merged.fisher_MM = in_merged_order(task.config, task.fisher_MM.to(kv_MX.device()));
  return merged;
}

// The layer whose o_proj passes on what it gets.
Layer without_output(Layer layer, const AttentionTask& task) {
  auto& attention = std::get<LatentAttention>(layer.attention);
  attention.o = {at::eye(attention.o.weight_OI.size(1), task.x_BTD.options().dtype(at::kFloat)), at::Tensor()};
  return layer;
}

// o_proj and its bias, from the inputs that the layers converted so far give.
Linear refit_output(const AttentionTask& task, const Layer& converted) {
  const Layer original = with_fp32_attention(task.layer, task.index);
  const Layer heads = without_output(converted, task);
  CentredRidge ridge;
  for_windows(task.x_BTD, [&](std::int64_t first, std::int64_t count) {
    const at::Tensor x_BTD = task.x_BTD.narrow(0, first, count).to(at::kFloat);
    const auto block = [&](const Layer& layer) {
      return attention_forward(task.config, layer, task.index, x_BTD, task.context).flatten(0, 1);
    };
    ridge.add(block(heads), block(original));
    task.tick("refit", count);
  });
  return ridge.solve(std::get<LatentAttention>(converted.attention).o.weight_OI, kRefitRidge);
}

Linear as(const Linear& linear, at::ScalarType dtype) {
  return {linear.weight_OI.to(dtype), linear.bias_O.defined() ? linear.bias_O.to(dtype) : at::Tensor()};
}

}  // namespace

AttentionResult lathe_mla(const AttentionTask& task) {
  check(task.fisher_MM.defined(), "[convert] lathe-mla needs the Fisher moment of layer ", task.index);
  const RopeTable table = make_rope_table(task.config, task.context.positions, task.original_x_BTD.device());
  AttentionResult result;
  const auto note = [&](std::string stage, const MergedAttention& merged) {
    result.stages.push_back(measure_attention(
        task, std::move(stage), [&](const at::Tensor& x_BTD) { return merged_forward(merged, x_BTD, table); }));
  };
  const at::Tensor inputs_XX = input_moment(task);
  const std::int64_t seen = task.x_BTD.size(1);
  const MeanTurn turn = mean_turn(task.config, task.plan.context_length == 0 ? seen : task.plan.context_length);
  MergedAttention merged = merged_with_moments(task, inputs_XX);
  note("merge", merged);
  merged = rotate_for_queries(merged, query_sizes(merged, inputs_XX), turn);
  note("rotate", merged);
  merged = drop_rope_to_mean(merged, task.plan.qk_rope_head_dim / 2, turn);
  note("partial rope", merged);
  const LowRankAttention low_rank = cut_rank_by_fisher(merged, task.plan.kv_lora_rank);
  note("low rank", low_rank.attention);
  result.spectrum = {task.index, task.plan.kv_lora_rank, low_rank.eigenvalues};
  result.rope_pairs = merged.rope_pairs;

  Layer converted = with_fp32_attention(task.layer, task.index);
  converted.config.attention = task.planned;
  converted.config.attention.rope_pairs = merged.rope_pairs;
  LatentAttention latent = absorb(low_rank, at::kFloat);
  converted.attention = latent;
  latent.o = as(refit_output(task, converted), at::kFloat);
  converted.attention = latent;
  const auto note_converted = [&](std::string stage) {
    result.stages.push_back(measure_attention(task, std::move(stage), [&](const at::Tensor& x_BTD) {
      return attention_forward(task.config, converted, task.index, x_BTD.to(at::kFloat), task.context);
    }));
  };
  note_converted("refit");
  if (task.plan.heal_steps > 0) {
    even_out_pairs(latent, converted.config.attention);
    converted.attention = latent;
    latent = heal_attention(task, converted, task.plan.heal_steps);
    converted.attention = latent;
    latent.o = as(refit_output(task, converted), at::kFloat);
    converted.attention = latent;
    note_converted("heal");
  }
  const at::ScalarType dtype = std::get<GroupedQueryAttention>(task.layer.attention).q.weight_OI.scalar_type();
  result.attention = {.q_a = {},
                      .q_a_norm_Q = {},
                      .q = as(latent.q, dtype),
                      .kv_a = as(latent.kv_a, dtype),
                      .kv_a_norm_R = {},
                      .kv_b = as(latent.kv_b, dtype),
                      .o = as(latent.o, dtype)};
  return result;
}

}  // namespace lathe
