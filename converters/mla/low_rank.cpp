#include "converters/mla/low_rank.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/ones.h>

#include <cmath>

// D hidden_size, X = D + 1, H heads, K head_dim, L width of the merged key and value, P rotated dims, N = K,
// E = 2 L - P, R kv_lora_rank, M = 2 L

namespace lathe {
namespace {

std::int64_t rotated_dims(const MergedAttention& attention) {
  return 2 * static_cast<std::int64_t>(attention.rope_pairs.size());
}

at::Tensor position_free_and_value(const MergedAttention& attention) {
  const std::int64_t rotated = rotated_dims(attention);
  const at::Tensor free_key = attention.key_LX.narrow(0, rotated, attention.key_LX.size(0) - rotated);
  return at::cat({free_key, attention.value_LX});
}

Linear linear_of(const at::Tensor& weight_OX, bool has_bias, at::ScalarType dtype) {
  const std::int64_t width = weight_OX.size(1) - 1;
  return {weight_OX.narrow(1, 0, width).to(dtype).contiguous(),
          has_bias ? weight_OX.select(1, width).to(dtype).contiguous() : at::Tensor()};
}

at::Tensor absorbed_queries(const MergedAttention& attention) {
  const std::int64_t rotated = rotated_dims(attention);
  const at::Tensor rope_up_HPK = attention.key_up_HKL.narrow(2, 0, rotated).transpose(1, 2);
  const at::Tensor query_HZX = at::cat({attention.query_HKX, rope_up_HPK.matmul(attention.query_HKX)}, 1);
  const auto head_dim = static_cast<double>(attention.query_HKX.size(1));
  return query_HZX.flatten(0, 1) * std::sqrt((head_dim + static_cast<double>(rotated)) / head_dim);
}

}  // namespace

MergedAttention balance(const MergedAttention& attention, double ratio) {
  const std::int64_t width = attention.key_LX.size(0);
  const std::int64_t rotated = rotated_dims(attention);
  if (rotated == width) return attention;  // no position-free key to balance
  const at::Tensor size_M = attention.moment_MM.diagonal().clamp_min(0).sqrt();
  const double key_size = size_M.narrow(0, rotated, width - rotated).mean().item<double>();
  const double value_size = size_M.narrow(0, width + rotated, width - rotated).mean().item<double>();
  // Without keys or values on the calibration text there is nothing to weigh against each other.
  if (key_size == 0.0 || value_size == 0.0) return attention;
  at::Tensor scale_M = at::ones({2 * width}, size_M.options());
  scale_M.narrow(0, rotated, width - rotated).fill_(value_size * ratio / key_size);
  const at::Tensor scale_L = scale_M.narrow(0, 0, width);
  MergedAttention balanced = attention;
  balanced.key_LX = attention.key_LX * scale_L.unsqueeze(1);
  balanced.key_up_HKL = attention.key_up_HKL / scale_L;
  balanced.moment_MM = attention.moment_MM * scale_M.unsqueeze(1) * scale_M;
  return balanced;
}

LowRankAttention cut_rank(const MergedAttention& attention, std::int64_t rank) {
  const std::int64_t width = attention.key_LX.size(0);
  const std::int64_t rotated = rotated_dims(attention);
  const std::int64_t joint = 2 * width - rotated;
  const auto [values_E, vectors_EE] =
      at::linalg_eigh(attention.moment_MM.narrow(0, rotated, joint).narrow(1, rotated, joint));
  const at::Tensor eigenvalues_E = values_E.clamp_min(0).flip(0).to(at::kFloat).cpu().contiguous();
  LowRankAttention low_rank;
  low_rank.eigenvalues.assign(eigenvalues_E.data_ptr<float>(), eigenvalues_E.data_ptr<float>() + joint);
  low_rank.basis_ER = vectors_EE.narrow(1, joint - rank, rank).flip(1);
  const at::Tensor kept_EX = low_rank.basis_ER.matmul(low_rank.basis_ER.t().matmul(position_free_and_value(attention)));
  low_rank.attention = attention;
  low_rank.attention.key_LX = at::cat({attention.key_LX.narrow(0, 0, rotated), kept_EX.narrow(0, 0, width - rotated)});
  low_rank.attention.value_LX = kept_EX.narrow(0, width - rotated, width);
  low_rank.attention.moment_MM.reset();  // no later stage reads it
  return low_rank;
}

LatentAttention absorb(const LowRankAttention& low_rank, at::ScalarType dtype) {
  const MergedAttention& attention = low_rank.attention;
  const std::int64_t width = attention.key_LX.size(0);
  const std::int64_t rotated = rotated_dims(attention);
  const at::Tensor latent_RX = low_rank.basis_ER.t().matmul(position_free_and_value(attention));
  const at::Tensor kv_a_OX = at::cat({latent_RX, attention.key_LX.narrow(0, 0, rotated)});
  const at::Tensor key_up_HKR =
      attention.key_up_HKL.narrow(2, rotated, width - rotated).matmul(low_rank.basis_ER.narrow(0, 0, width - rotated));
  const at::Tensor value_up_HKR = attention.value_up_HKL.matmul(low_rank.basis_ER.narrow(0, width - rotated, width));
  LatentAttention latent;
  latent.q = linear_of(absorbed_queries(attention), attention.has_bias, dtype);
  latent.kv_a = linear_of(kv_a_OX, attention.has_bias, dtype);
  latent.kv_b.weight_OI = at::cat({key_up_HKR, value_up_HKR}, 1).flatten(0, 1).to(dtype).contiguous();
  latent.o = attention.output;
  return latent;
}

}  // namespace lathe
