#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "model/data/job.h"

namespace lathe {

/// The name of the row of the model as it was opened, which comes first.
inline constexpr const char* kDense = "dense";

struct QualityBenchOptions {
  std::string model = "default";
  std::string config;  ///< a config.json in place of the one beside the weights; empty: none
  std::string device = "auto";
  std::string dtype = "auto";
  std::vector<std::string> plans = {"mla-256", "mla-192", "mla-128", "moe-75", "moe-50", "moe-25"};
  std::string calibrate;  ///< text for all plans; empty: what each plan names
  std::string text;       ///< what the loss is measured on; no plan may have seen it
  std::int64_t window = 512;
  std::int64_t windows = 64;
};

/// What one plan leaves of the model. The dense model has a row of its own, of 0 seconds.
struct QualityRow {
  std::string plan;
  double nll = 0.0;  ///< nats per token, as evaluate() defines it
  double ppl = 0.0;
  std::int64_t kv_values_per_token = 0;
  std::int64_t active_params = 0;
  double seconds = 0.0;  ///< of the conversion, its own measurements included
};

nlohmann::json quality_row_to_json(const QualityRow& row);

/// Converts the model by each plan in turn, from the original each time, and measures the loss on `text`; kDense comes
/// first. Calls on_row as soon as a row is known. Throws Error if a plan or a text cannot be read or does not fit;
/// Cancelled.
void run_quality_bench(const QualityBenchOptions& options, const std::function<void(const QualityRow&)>& on_row,
                       const Job& job = {});

}  // namespace lathe
