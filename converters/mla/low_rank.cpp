#include "converters/mla/low_rank.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/ones.h>

#include <cmath>

// D hidden_size, X = D + 1, H heads, K head_dim, L width of the merged key and value, P rotated dims, N = K,
// E = 2 L - P, R kv_lora_rank, M = 2 L

namespace lathe {
namespace {

constexpr double kFisherDamping = 0.05;
constexpr double kSmallestWeight = 1e-7;  // of the largest

std::int64_t rotated_dims(const MergedAttention& attention) {
  return 2 * static_cast<std::int64_t>(attention.rope_pairs.size());
}

at::Tensor position_free_and_value(const MergedAttention& attention) {
  const std::int64_t rotated = rotated_dims(attention);
  const at::Tensor free_key = attention.key_LX.narrow(0, rotated, attention.key_LX.size(0) - rotated);
  return at::cat({free_key, attention.value_LX});
}

at::Tensor of_position_free_and_value(const MergedAttention& attention, const at::Tensor& moment_MM) {
  const std::int64_t rotated = rotated_dims(attention);
  const std::int64_t joint = moment_MM.size(0) - rotated;
  return moment_MM.narrow(0, rotated, joint).narrow(1, rotated, joint);
}

/// W^1/2 and W^-1/2 of a weight W.
struct Roots {
  at::Tensor root_EE;
  at::Tensor inverse_EE;
};

/// The scale of W changes no choice; its mean diagonal becomes 1. A weight of nothing is 1 everywhere.
Roots roots_of(const at::Tensor& weight_EE) {
  const double mean = weight_EE.diagonal().mean().item<double>();
  if (mean == 0.0) {
    const at::Tensor identity_EE = at::eye(weight_EE.size(0), weight_EE.options());
    return {identity_EE, identity_EE};
  }
  const auto [values_E, vectors_EE] = at::linalg_eigh(weight_EE / mean);
  const at::Tensor floored_E = values_E.clamp_min(values_E.max().item<double>() * kSmallestWeight);
  return {(vectors_EE * floored_E.sqrt()).matmul(vectors_EE.t()),
          (vectors_EE * floored_E.rsqrt()).matmul(vectors_EE.t())};
}

LowRankAttention keep_components(const MergedAttention& attention, std::int64_t rank, const Roots& weight) {
  const std::int64_t width = attention.key_LX.size(0);
  const std::int64_t rotated = rotated_dims(attention);
  const std::int64_t joint = 2 * width - rotated;
  const at::Tensor moment_EE = of_position_free_and_value(attention, attention.moment_MM);
  const auto [values_E, vectors_EE] = at::linalg_eigh(weight.root_EE.matmul(moment_EE).matmul(weight.root_EE));
  const at::Tensor eigenvalues_E = values_E.clamp_min(0).flip(0).to(at::kFloat).cpu().contiguous();
  const at::Tensor kept_ER = vectors_EE.narrow(1, joint - rank, rank).flip(1);
  LowRankAttention low_rank;
  low_rank.eigenvalues.assign(eigenvalues_E.data_ptr<float>(), eigenvalues_E.data_ptr<float>() + joint);
  low_rank.encode_RE = kept_ER.t().matmul(weight.root_EE);
  low_rank.decode_ER = weight.inverse_EE.matmul(kept_ER);
  const at::Tensor kept_EX = low_rank.decode_ER.matmul(low_rank.encode_RE.matmul(position_free_and_value(attention)));
  low_rank.attention = attention;
  low_rank.attention.key_LX = at::cat({attention.key_LX.narrow(0, 0, rotated), kept_EX.narrow(0, 0, width - rotated)});
  low_rank.attention.value_LX = kept_EX.narrow(0, width - rotated, width);
  low_rank.attention.moment_MM.reset();  // no later stage reads them
  low_rank.attention.fisher_MM.reset();
  return low_rank;
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
  const at::Tensor identity_EE = at::eye(position_free_and_value(attention).size(0), attention.moment_MM.options());
  return keep_components(attention, rank, {identity_EE, identity_EE});
}

LowRankAttention cut_rank_by_fisher(const MergedAttention& attention, std::int64_t rank) {
  const at::Tensor fisher_EE = of_position_free_and_value(attention, attention.fisher_MM);
  return keep_components(attention, rank, roots_of(fisher_EE + at::diag(fisher_EE.diagonal()) * kFisherDamping));
}

LatentAttention absorb(const LowRankAttention& low_rank, at::ScalarType dtype) {
  const MergedAttention& attention = low_rank.attention;
  const std::int64_t width = attention.key_LX.size(0);
  const std::int64_t rotated = rotated_dims(attention);
  const at::Tensor latent_RX = low_rank.encode_RE.matmul(position_free_and_value(attention));
  const at::Tensor kv_a_OX = at::cat({latent_RX, attention.key_LX.narrow(0, 0, rotated)});
  const at::Tensor key_up_HKR =
      attention.key_up_HKL.narrow(2, rotated, width - rotated).matmul(low_rank.decode_ER.narrow(0, 0, width - rotated));
  const at::Tensor value_up_HKR = attention.value_up_HKL.matmul(low_rank.decode_ER.narrow(0, width - rotated, width));
  LatentAttention latent;
  latent.q = linear_of(absorbed_queries(attention), attention.has_bias, dtype);
  latent.kv_a = linear_of(kv_a_OX, attention.has_bias, dtype);
  latent.kv_b.weight_OI = at::cat({key_up_HKR, value_up_HKR}, 1).flatten(0, 1).to(dtype).contiguous();
  latent.o = attention.output;
  return latent;
}

}  // namespace lathe
