#include "model/io/gguf_rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/io/dequantize.h"

namespace lathe {

namespace {

double llama3_divisor(double frequency, const RopeScaling& scaling) {
  const auto context = static_cast<double>(scaling.original_max_position_embeddings);
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  if (wavelength < context / scaling.high_freq_factor) return 1.0;
  if (wavelength > context / scaling.low_freq_factor) return scaling.factor;
  const double smooth =
      (context / wavelength - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
  return 1.0 / ((1.0 - smooth) / scaling.factor + smooth);
}

/// GGUF keeps Llama 3's scaling as one divisor a frequency. The parameters are found again by trying those that Meta
/// uses; a file that they do not explain is refused rather than read wrongly.
nlohmann::json llama3_scaling(const GgufHparams& hparams, const GgufTensor& divisors, const Rotation& rotation) {
  const std::vector<std::int64_t> expected_shape{rotation.head_dim / 2};
  if (divisors.type != StoredType(DType::F32) || divisors.shape != expected_shape || rotation.head_dim < 2) {
    hparams.refuse(ErrorCode::Config, "rope_freqs.weight does not fit the heads",
                   text(type_name(divisors.type), " ", shape_text(divisors.shape)),
                   text("one F32 for each of a head's pairs, ", shape_text(expected_shape)));
  }
  std::vector<float> values(divisors.bytes.size() / sizeof(float));
  dequantize(divisors.type, divisors.bytes, values);
  RopeScaling scaling{.kind = RopeScalingKind::Llama3, .factor = *std::max_element(values.begin(), values.end())};
  scaling.original_max_position_embeddings =
      hparams.integer("rope.scaling.original_context_length").value_or(scaling.original_max_position_embeddings);
  const std::vector<float> explained = llama3_divisors(scaling, rotation);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(std::abs(values[i] - explained[i]) <= 1e-3F * explained[i])) {
      hparams.refuse(ErrorCode::Config, "this scaling of RoPE is not supported",
                     text("rope_freqs.weight[", i, "] = ", values[i]),
                     text(explained[i], ", as Llama 3 scales a context of ", scaling.original_max_position_embeddings,
                          " by ", scaling.factor));
    }
  }
  if (scaling.factor == 1.0) return nullptr;
  return {{"rope_type", "llama3"},
          {"factor", scaling.factor},
          {"low_freq_factor", scaling.low_freq_factor},
          {"high_freq_factor", scaling.high_freq_factor},
          {"original_max_position_embeddings", scaling.original_max_position_embeddings}};
}

/// Source: llama.cpp conversion/base.py and deepseek.py. The log multiplier is a tenth of mscale_all_dim, which the
/// models that have it set to their mscale.
nlohmann::json yarn_scaling(const GgufHparams& hparams) {
  nlohmann::json scaling = {
      {"rope_type", "yarn"},
      {"factor", hparams.required_number("rope.scaling.factor")},
      {"original_max_position_embeddings", hparams.required("rope.scaling.original_context_length")}};
  const auto put = [&](const char* key, const char* gguf_key) {
    if (const auto value = hparams.number(gguf_key)) scaling[key] = *value;
  };
  put("beta_fast", "rope.scaling.yarn_beta_fast");
  put("beta_slow", "rope.scaling.yarn_beta_slow");
  if (const auto multiplier = hparams.number("rope.scaling.yarn_log_multiplier"); multiplier && *multiplier != 0) {
    scaling["mscale"] = scaling["mscale_all_dim"] = std::round(*multiplier * 1e7) / 1e6;
  }
  if (hparams.number("rope.scaling.attn_factor").value_or(1.0) != 1.0) {
    hparams.refuse(ErrorCode::Config, "this scaling of RoPE is not supported", "YaRN with an attn_factor of its own",
                   "YaRN without one");
  }
  return scaling;
}

}  // namespace

std::vector<float> llama3_divisors(const RopeScaling& scaling, const Rotation& rotation) {
  std::vector<float> divisors;
  for (std::int64_t i = 0; i < rotation.head_dim / 2; ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(rotation.head_dim);
    divisors.push_back(static_cast<float>(llama3_divisor(std::pow(rotation.theta, -exponent), scaling)));
  }
  return divisors;
}

nlohmann::json rope_scaling_from_gguf(const GgufHparams& hparams, const Rotation& rotation) {
  if (const GgufTensor* divisors = hparams.tensor("rope_freqs.weight")) {
    return llama3_scaling(hparams, *divisors, rotation);
  }
  const auto legacy = hparams.number("rope.scale_linear");
  const std::string_view type = hparams.string("rope.scaling.type").value_or(legacy ? "linear" : "none");
  if (type == "none") return nullptr;
  if (type == "yarn") return yarn_scaling(hparams);
  if (type != "linear") {
    hparams.refuse(ErrorCode::Config, "this scaling of RoPE is not supported", text("\"", type, "\""),
                   "none, linear, yarn or llama3");
  }
  const auto factor = hparams.number("rope.scaling.factor").value_or(legacy.value_or(1.0));
  return {{"rope_type", "linear"}, {"factor", factor}};
}

}  // namespace lathe
