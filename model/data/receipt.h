#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/data/plan.h"
#include "model/data/sizes.h"

namespace lathe {

/// What one stage of a method costs: || y - y' || / || y || of the block's output, teacher-forced, after this stage.
struct StageCost {
  /// "merge", "rotate", "partial rope", "balance", "low rank", "absorb", "refit", "heal"; "experts", "router", "refit"
  std::string stage;
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

/// What training did to a converted model since: its tensors are no longer those that the receipt's sha256 is of.
struct Healing {
  std::int64_t steps = 0;
  double nll = 0.0;                    ///< after the last step, nats per token on held-out windows of the training text
  std::optional<double> nll_original;  ///< of the model before its conversion, same windows; absent if not in memory
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
  std::int64_t kv_bytes_per_token_before = 0;  ///< of the cache, in the model's dtype
  std::int64_t kv_bytes_per_token_after = 0;
  double seconds = 0.0;
  std::uint64_t seed = 0;
  std::string calibration_sha256;
  std::int64_t calibration_tokens = 0;
  std::string model_sha256;  ///< of all tensors as the conversion left them, before any healing
  std::string device;
  std::string dtype;
  std::string code_version;
  std::optional<Healing> healing;  ///< absent if nothing was trained since
  std::vector<Receipt> earlier;    ///< of the conversions before this one, oldest first; none of them has any itself
};

/// The receipt of a conversion of a model that already had one, if any: all that came before is earlier now.
Receipt receipt_after(const std::optional<Receipt>& before, Receipt receipt);

/// What converting this part of this layer did, in the newest conversion that did; null if none.
const LayerReceipt* find_layer(const Receipt& receipt, std::int64_t layer, LayerPart part);

nlohmann::json receipt_to_json(const Receipt& receipt);

/// Reads what receipt_to_json writes. Throws Error that names the key.
Receipt receipt_from_json(const nlohmann::json& json);
nlohmann::json layer_receipt_to_json(const LayerReceipt& layer);

}  // namespace lathe
