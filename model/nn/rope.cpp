#include "model/nn/rope.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <numbers>

namespace lathe {
namespace {

// Long wavelengths are stretched by `factor`, short ones kept, those between blended.
void scale_as_llama3(at::Tensor& frequencies_F, const RopeScaling& scaling) {
  const auto old_length = static_cast<double>(scaling.original_max_position_embeddings);
  const double low_wavelength = old_length / scaling.low_freq_factor;
  const double high_wavelength = old_length / scaling.high_freq_factor;
  float* values = frequencies_F.data_ptr<float>();
  for (std::int64_t i = 0; i < frequencies_F.numel(); ++i) {
    const float frequency = values[i];
    const float stretched = frequency / static_cast<float>(scaling.factor);
    const float wavelength = static_cast<float>(2 * std::numbers::pi) / frequency;
    if (wavelength < high_wavelength) continue;
    if (wavelength > low_wavelength) {
      values[i] = stretched;
      continue;
    }
    const float smooth = (static_cast<float>(old_length) / wavelength - static_cast<float>(scaling.low_freq_factor)) /
                         static_cast<float>(scaling.high_freq_factor - scaling.low_freq_factor);
    values[i] = (1 - smooth) * stretched + smooth * frequency;
  }
}

}  // namespace

at::Tensor rope_frequencies(const ModelConfig& config) {
  // Positions reach thousands, so one wrong bit here is visible in the angles: the same operators as the reference.
  const auto fp32 = at::TensorOptions().dtype(at::kFloat);
  const at::Tensor exponents_F = at::arange(0, config.head_dim, 2, fp32).div_(static_cast<double>(config.head_dim));
  at::Tensor frequencies_F = at::pow(config.rope_theta, exponents_F).reciprocal_();
  if (config.rope_scaling.kind == RopeScalingKind::Linear) frequencies_F.div_(config.rope_scaling.factor);
  if (config.rope_scaling.kind == RopeScalingKind::Llama3) scale_as_llama3(frequencies_F, config.rope_scaling);
  return frequencies_F;
}

RopeTable make_rope_table(const ModelConfig& config, std::int64_t first_position, std::int64_t tokens,
                          at::Device device) {
  const at::Tensor positions_T =
      at::arange(first_position, first_position + tokens, at::TensorOptions().dtype(at::kFloat));
  const at::Tensor angles_TF = positions_T.unsqueeze(1) * rope_frequencies(config);
  return {angles_TF.cos().to(device), angles_TF.sin().to(device)};
}

RopeTable select_rope_pairs(const RopeTable& table, const std::vector<std::int64_t>& rope_pairs) {
  const at::Tensor pairs = at::tensor(rope_pairs, at::kLong).to(table.cos_TF.device());
  return {table.cos_TF.index_select(1, pairs), table.sin_TF.index_select(1, pairs)};
}

at::Tensor apply_rope(const at::Tensor& x, const RopeTable& table) {
  const std::int64_t num_pairs = table.cos_TF.size(1);
  const at::Tensor cos_TF = table.cos_TF.to(x.scalar_type());
  const at::Tensor sin_TF = table.sin_TF.to(x.scalar_type());
  const at::Tensor re = x.narrow(-1, 0, num_pairs);
  const at::Tensor im = x.narrow(-1, num_pairs, num_pairs);
  return at::cat({re * cos_TF - im * sin_TF, im * cos_TF + re * sin_TF}, -1);
}

}  // namespace lathe
