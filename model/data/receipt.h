#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "model/data/plan.h"
#include "model/data/sizes.h"

namespace lathe {

/// What one stage of a method costs: || y - y' || / || y || of the block's output, teacher-forced, after this stage.
struct StageCost {
  std::string stage;  ///< "merge", "rotate", "partial rope", "balance", "low rank", "absorb"; "experts", "router"
  double relative_error = 0.0;
};

enum class LayerPart { Attention, FeedForward };

/// Eigenvalues of the matrix that the low rank cuts, descending, and where it was cut.
struct LatentSpectrum {
  std::int64_t layer = 0;
  std::int64_t kept_rank = 0;
  std::vector<float> eigenvalues;
};

/// What converting one part of one layer did, measured on the calibration text.
struct LayerReceipt {
  std::int64_t layer = 0;
  LayerPart part = LayerPart::Attention;
  std::string method;
  std::vector<StageCost> stages;
  double relative_error = 0.0;  ///< of the block's output, inputs taken from the original model
  std::int64_t params_before = 0;
  std::int64_t params_after = 0;
  std::int64_t kv_values_before = 0;
  std::int64_t kv_values_after = 0;
  double seconds = 0.0;
  LatentSpectrum spectrum;  ///< empty for feed-forward parts
};

/// What a conversion cost. Every figure is measured; losses are nats per token on held-out text.
struct Receipt {
  ConversionPlan plan;
  std::vector<LayerReceipt> layers;
  double nll_before = 0.0;
  double nll_after = 0.0;
  std::int64_t eval_tokens = 0;
  Sizes sizes_before;
  Sizes sizes_after;
  double seconds = 0.0;
  std::uint64_t seed = 0;
  std::string calibration_sha256;
  std::int64_t calibration_tokens = 0;
  std::string model_sha256;  ///< of all tensors after the conversion
  std::string device;
  std::string dtype;
  std::string code_version;
};

nlohmann::json receipt_to_json(const Receipt& receipt);
Receipt receipt_from_json(const nlohmann::json& json);
nlohmann::json layer_receipt_to_json(const LayerReceipt& layer);

}  // namespace lathe
