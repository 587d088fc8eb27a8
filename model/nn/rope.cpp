#include "model/nn/rope.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/nn/linear.h"

// B batch, H heads, T tokens, K rotated dims, F rotary pairs

namespace lathe {
namespace {

constexpr std::int64_t kValuesPerTask = std::int64_t{1} << 15;

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

// Pairs that turn often within the original context keep their frequency, those that turn seldom are slowed down by
// `factor`, those between blended. Source: Hugging Face modeling_rope_utils, _compute_yarn_parameters.
void scale_as_yarn(at::Tensor& frequencies_F, const ModelConfig& config) {
  const RopeScaling& scaling = config.rope_scaling;
  const auto width = static_cast<double>(config.head_dim);
  const auto pair_that_turns = [&](double times) {
    const double length = static_cast<double>(scaling.original_max_position_embeddings);
    return width * std::log(length / (times * 2 * std::numbers::pi)) / (2 * std::log(config.rope_theta));
  };
  double low = pair_that_turns(scaling.beta_fast);
  double high = pair_that_turns(scaling.beta_slow);
  if (scaling.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, width - 1);
  if (low == high) high += 0.001;
  const at::Tensor pairs_F = at::arange(frequencies_F.numel(), frequencies_F.options());
  const at::Tensor slowed_F = ((pairs_F - low) / (high - low)).clamp_(0, 1);
  const at::Tensor kept_F = 1 - slowed_F;
  frequencies_F = (frequencies_F.reciprocal() * scaling.factor).reciprocal_() * (1 - kept_F) + frequencies_F * kept_F;
}

// Turns one row of K values by the angles of its token.
template <typename Value>
void turn_row(const Value* in, Value* out, const float* cos, const float* sin, std::int64_t pairs) {
  for (std::int64_t i = 0; i < pairs; ++i) {
    const auto re = static_cast<float>(in[i]);
    const auto im = static_cast<float>(in[i + pairs]);
    out[i] = static_cast<Value>(re * cos[i] - im * sin[i]);
    out[i + pairs] = static_cast<Value>(im * cos[i] + re * sin[i]);
  }
}

// One pass where the composed operators take seven.
template <typename Value>
at::Tensor turn(const at::Tensor& x, const RopeTable& table) {
  // [T,K] and [B,T,K] have one head.
  const at::Tensor x_BHTK = x.dim() == 4 ? x : x.dim() == 3 ? x.unsqueeze(1) : x.unsqueeze(0).unsqueeze(0);
  const std::int64_t heads = x_BHTK.size(1);
  const std::int64_t tokens = x_BHTK.size(2);
  const std::int64_t width = x_BHTK.size(3);
  const at::Tensor y = at::empty(x.sizes(), x.options());
  const Value* in = x_BHTK.const_data_ptr<Value>();
  Value* out = y.mutable_data_ptr<Value>();
  const float* cos = table.cos_TF.const_data_ptr<float>();
  const float* sin = table.sin_TF.const_data_ptr<float>();
  const auto turn_rows = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t t = row % tokens;
      const std::int64_t head = row / tokens % heads;
      const std::int64_t b = row / tokens / heads;
      const Value* from = in + b * x_BHTK.stride(0) + head * x_BHTK.stride(1) + t * x_BHTK.stride(2);
      turn_row(from, out + row * width, cos + t * width / 2, sin + t * width / 2, width / 2);
    }
  };
  if (width > 0) at::parallel_for(0, x_BHTK.size(0) * heads * tokens, kValuesPerTask / width + 1, turn_rows);
  return y;
}

}  // namespace

at::Tensor rope_frequencies(const ModelConfig& config) {
  // Positions reach thousands, so one wrong bit here is visible in the angles: the same operators as the reference.
  const auto fp32 = at::TensorOptions().dtype(at::kFloat);
  const at::Tensor exponents_F = at::arange(0, config.head_dim, 2, fp32).div_(static_cast<double>(config.head_dim));
  at::Tensor frequencies_F = at::pow(config.rope_theta, exponents_F).reciprocal_();
  if (config.rope_scaling.kind == RopeScalingKind::Linear) frequencies_F.div_(config.rope_scaling.factor);
  if (config.rope_scaling.kind == RopeScalingKind::Llama3) scale_as_llama3(frequencies_F, config.rope_scaling);
  if (config.rope_scaling.kind == RopeScalingKind::Yarn) scale_as_yarn(frequencies_F, config);
  return frequencies_F;
}

RopeTable make_rope_table(const ModelConfig& config, const PositionRange& positions, at::Device device) {
  const auto fp32 = at::TensorOptions().dtype(at::kFloat).device(device);
  const at::Tensor positions_T = at::arange(positions.first, positions.first + positions.count, fp32);
  const at::Tensor angles_TF = positions_T.unsqueeze(1) * rope_frequencies(config).to(device);
  const double factor = config.rope_scaling.attention_factor;
  if (factor == 1.0) return {angles_TF.cos(), angles_TF.sin()};
  return {angles_TF.cos() * factor, angles_TF.sin() * factor};
}

RopeTable select_rope_pairs(const RopeTable& table, const std::vector<std::int64_t>& rope_pairs) {
  const at::Tensor pairs = at::tensor(rope_pairs, at::kLong).to(table.cos_TF.device());
  return {table.cos_TF.index_select(1, pairs), table.sin_TF.index_select(1, pairs)};
}

RopeTables::RopeTables(const Model& model, const PositionRange& positions)
    : first_(positions.first), all_(make_rope_table(model.config, positions, model.device())) {
  if (model.device().is_cpu()) return;
  all_ = {all_.cos_TF.to(model.dtype()), all_.sin_TF.to(model.dtype())};
}

RopeTable RopeTables::rows(const RopeTable& table, const PositionRange& positions) const {
  const std::int64_t first = positions.first - first_;
  return {table.cos_TF.narrow(0, first, positions.count), table.sin_TF.narrow(0, first, positions.count)};
}

RopeTable RopeTables::all(const PositionRange& positions) const { return rows(all_, positions); }

RopeTable RopeTables::selected(const PositionRange& positions, const std::vector<std::int64_t>& rope_pairs) {
  const auto [place, is_new] = selected_.try_emplace(rope_pairs);
  if (is_new) place->second = select_rope_pairs(all_, rope_pairs);
  return rows(place->second, positions);
}

at::Tensor apply_rope(const at::Tensor& x, const RopeTable& table) {
  if (is_inference() && x.is_cpu() && x.stride(-1) == 1) {
    if (x.scalar_type() == at::kFloat) return turn<float>(x, table);
    if (x.scalar_type() == at::kBFloat16) return turn<at::BFloat16>(x, table);
  }
  const std::int64_t num_pairs = table.cos_TF.size(1);
  const at::Tensor cos_TF = table.cos_TF.to(x.scalar_type());
  const at::Tensor sin_TF = table.sin_TF.to(x.scalar_type());
  const at::Tensor re = x.narrow(-1, 0, num_pairs);
  const at::Tensor im = x.narrow(-1, num_pairs, num_pairs);
  return at::cat({re * cos_TF - im * sin_TF, im * cos_TF + re * sin_TF}, -1);
}

}  // namespace lathe
