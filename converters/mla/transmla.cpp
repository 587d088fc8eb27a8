#include "converters/mla/transmla.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

#include <string>

#include "converters/mla/low_rank.h"
#include "converters/mla/measure_attention.h"
#include "converters/mla/merged_attention.h"
#include "converters/mla/rorope.h"
#include "converters/windows.h"
#include "model/nn/forward.h"
#include "model/nn/rope.h"

// B windows, T tokens, D hidden_size, M = 2 G K joint width of keys and values

namespace lathe {
namespace {

at::Tensor second_moment(const MergedAttention& merged, const AttentionTask& task) {
  const std::int64_t joint = 2 * merged.key_LX.size(0);
  at::Tensor sum_MM = at::zeros({joint, joint}, merged.key_LX.options());
  for_windows(task.x_BTD, [&](std::int64_t first, std::int64_t count) {
    const at::Tensor kv = keys_and_values(merged, task.x_BTD.narrow(0, first, count)).flatten(0, 1).to(at::kDouble);
    sum_MM.addmm_(kv.t(), kv);
    task.tick("calibrate", count);
  });
  return sum_MM / static_cast<double>(task.x_BTD.size(0) * task.x_BTD.size(1));
}

}  // namespace

AttentionResult transmla(const AttentionTask& task) {
  const auto& original = std::get<GroupedQueryAttention>(task.layer.attention);
  const RopeTable table =  // fp32, as the stages are, also where the model is not
      make_rope_table(task.config, task.context.positions, task.original_x_BTD.device());
  const auto cost_of = [&](std::string stage, const MergedAttention& merged) {
    return measure_attention(task, std::move(stage),
                             [&](const at::Tensor& x_BTD) { return merged_forward(merged, x_BTD, table); });
  };
  AttentionResult result;
  MergedAttention merged = merge_heads(task.config, original);
  result.stages.push_back(cost_of("merge", merged));
  merged.moment_MM = second_moment(merged, task);
  merged = rotate_pairs(merged, task.plan, task.config);
  result.stages.push_back(cost_of("rotate", merged));
  merged = drop_rope(merged, task.plan.qk_rope_head_dim / 2);
  result.stages.push_back(cost_of("partial rope", merged));
  merged = balance(merged, task.plan.balance_kv_ratio);
  result.stages.push_back(cost_of("balance", merged));
  const LowRankAttention low_rank = cut_rank(merged, task.plan.kv_lora_rank);
  result.stages.push_back(cost_of("low rank", low_rank.attention));
  result.spectrum = {task.index, task.plan.kv_lora_rank, low_rank.eigenvalues};
  result.attention = absorb(low_rank, original.q.weight_OI.scalar_type());
  Layer converted = task.layer;
  converted.config.attention = task.planned;
  converted.attention = result.attention;
  result.stages.push_back(measure_attention(task, "absorb", [&](const at::Tensor& x_BTD) {
    return attention_forward(task.config, converted, task.index, x_BTD, task.context);
  }));
  return result;
}

}  // namespace lathe
