#include "converters/mla/merged_attention.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "model/nn/attention.h"
#include "model/nn/linear.h"

// B windows, T tokens, D hidden_size, O rows of a product, X = D + 1, H query heads, G key-value heads, K head_dim,
// L = G * K, P rotated dims

namespace lathe {
namespace {

at::Tensor with_bias_column(const Linear& linear) {
  const at::Tensor weight_OD = linear.weight_OI.to(at::kDouble);
  const at::Tensor bias_O1 = linear.bias_O.defined() ? linear.bias_O.to(at::kDouble).unsqueeze(1)
                                                     : at::zeros({weight_OD.size(0), 1}, weight_OD.options());
  return at::cat({weight_OD, bias_O1}, 1);
}

Linear fp32_linear(const at::Tensor& weight_OX) {
  const std::int64_t width = weight_OX.size(1) - 1;
  const at::Tensor fp32_OX = weight_OX.to(at::kFloat);
  return {fp32_OX.narrow(1, 0, width).contiguous(), fp32_OX.select(1, width).contiguous()};
}

// Row i of the merged key is row order[i] of k_proj.
std::vector<std::int64_t> merged_order(const ModelConfig& config) {
  const std::int64_t pairs = config.head_dim / 2;
  std::vector<std::int64_t> order;
  for (std::int64_t half = 0; half < 2; ++half)
    for (std::int64_t head = 0; head < config.num_key_value_heads; ++head)
      for (std::int64_t pair = 0; pair < pairs; ++pair) order.push_back(head * config.head_dim + half * pairs + pair);
  return order;
}

// [H,K,L] of which head h selects what key-value head h / (H / G) had in `basis_LL`, whose rows are the merged dims.
at::Tensor up_of_heads(const ModelConfig& config, const at::Tensor& basis_LL) {
  const std::int64_t repeat = config.num_attention_heads / config.num_key_value_heads;
  const at::Tensor up_GKL = basis_LL.t().reshape({config.num_key_value_heads, config.head_dim, -1});
  return up_GKL.repeat_interleave(repeat, 0);
}

/// blockdiag(matrix, 1) moment blockdiag(matrix, 1)^T: keys change, values do not.
at::Tensor change_keys(const at::Tensor& moment_MM, const at::Tensor& matrix_LL) {
  if (!moment_MM.defined()) return moment_MM;
  const std::int64_t width = matrix_LL.size(0);
  const at::Tensor key_rows = matrix_LL.matmul(moment_MM.narrow(0, 0, width));
  const at::Tensor rows_MM = at::cat({key_rows, moment_MM.narrow(0, width, width)});
  return at::cat({rows_MM.narrow(1, 0, width).matmul(matrix_LL.t()), rows_MM.narrow(1, width, width)}, 1);
}

at::Tensor turn_first_dims(const at::Tensor& x, const RopeTable& table) {
  const std::int64_t rotated = 2 * table.cos_TF.size(1);
  return at::cat({apply_rope(x.narrow(-1, 0, rotated), table), x.narrow(-1, rotated, x.size(-1) - rotated)}, -1);
}

}  // namespace

MergedAttention merge_heads(const ModelConfig& config, const GroupedQueryAttention& attention) {
  const at::Tensor query_OX = with_bias_column(attention.q);
  const at::Tensor identity_LL = at::eye(config.num_key_value_heads * config.head_dim, query_OX.options());
  const at::Tensor order = at::tensor(merged_order(config), at::kLong).to(query_OX.device());
  MergedAttention merged;
  merged.query_HKX = query_OX.view({config.num_attention_heads, config.head_dim, -1});
  merged.key_LX = with_bias_column(attention.k).index_select(0, order);
  merged.key_up_HKL = up_of_heads(config, identity_LL.index_select(0, order));
  merged.value_LX = with_bias_column(attention.v);
  merged.value_up_HKL = up_of_heads(config, identity_LL);
  for (std::int64_t head = 0; head < config.num_key_value_heads; ++head)
    for (std::int64_t pair = 0; pair < config.head_dim / 2; ++pair) merged.rope_pairs.push_back(pair);
  merged.output = attention.o;
  merged.has_bias = attention.q.bias_O.defined();
  return merged;
}

at::Tensor in_merged_order(const ModelConfig& config, const at::Tensor& moment_MM) {
  std::vector<std::int64_t> order = merged_order(config);
  const auto width = std::ssize(order);
  for (std::int64_t i = 0; i < width; ++i) order.push_back(width + i);
  const at::Tensor rows = at::tensor(order, at::kLong).to(moment_MM.device());
  return moment_MM.index_select(0, rows).index_select(1, rows);
}

MergedAttention change_key_basis(const MergedAttention& attention, const at::Tensor& basis_LL,
                                 const at::Tensor& dual_LL) {
  MergedAttention changed = attention;
  changed.key_LX = basis_LL.matmul(attention.key_LX);
  changed.key_up_HKL = attention.key_up_HKL.matmul(dual_LL.t());
  changed.moment_MM = change_keys(attention.moment_MM, basis_LL);
  changed.fisher_MM = change_keys(attention.fisher_MM, dual_LL);
  return changed;
}

at::Tensor keys_and_values(const MergedAttention& attention, const at::Tensor& x_BTD) {
  return apply(fp32_linear(at::cat({attention.key_LX, attention.value_LX})), x_BTD.to(at::kFloat));
}

at::Tensor merged_forward(const MergedAttention& attention, const at::Tensor& x_BTD, const RopeTable& table) {
  const std::int64_t heads = attention.query_HKX.size(0);
  const std::int64_t head_dim = attention.query_HKX.size(1);
  const std::int64_t width = attention.key_LX.size(0);
  const RopeTable turns = select_rope_pairs(table, attention.rope_pairs);
  const at::Tensor q_BTO = apply(fp32_linear(attention.query_HKX.flatten(0, 1)), x_BTD.to(at::kFloat));
  const at::Tensor q_BHTK = q_BTO.unflatten(-1, {heads, head_dim}).transpose(1, 2);
  const at::Tensor kv_B1TM = keys_and_values(attention, x_BTD).unsqueeze(1);
  const at::Tensor attended_BHTL =
      attend({.q_BHTK = turn_first_dims(at::matmul(q_BHTK, attention.key_up_HKL.to(at::kFloat)), turns),
              .k_BGSK = turn_first_dims(kv_B1TM.narrow(-1, 0, width), turns),
              .v_BGSW = kv_B1TM.narrow(-1, width, width),
              .scale = 1.0 / std::sqrt(static_cast<double>(head_dim))},
             /*mask_TS=*/{});
  const at::Tensor heads_BHTK = at::matmul(attended_BHTL, attention.value_up_HKL.to(at::kFloat).transpose(1, 2));
  const Linear output{attention.output.weight_OI.to(at::kFloat),
                      attention.output.bias_O.defined() ? attention.output.bias_O.to(at::kFloat) : at::Tensor()};
  return apply(output, heads_BHTK.transpose(1, 2).flatten(2));
}

}  // namespace lathe
