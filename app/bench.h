#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "model/data/job.h"

namespace lathe {

struct BenchOptions {
  std::string model = "default";
  std::string config;  ///< a config.json in place of the one beside the weights; empty: none
  std::string device = "auto";
  std::vector<std::string> dtypes = {"f32", "bf16"};
  std::int64_t prompt_tokens = 512;
  std::int64_t new_tokens = 64;
  std::int64_t rounds = 3;       ///< of prefill and decode; figures are medians
  std::int64_t train_steps = 2;  ///< measured after one to warm up; 0: no training
  bool conversion = true;        ///< convert one layer to MLA and one to MoE
  std::string against;           ///< "transformers": the same work in Python, turn by turn; empty: alone
};

/// Measures the program itself on one model: load, prefill, decode and memory for each dtype, full training for each
/// dtype, reading of files, conversion of one layer of each kind, and the same beside transformers. Every figure is
/// measured now. {"model", "device", "threads", "speed": [...], "tokenizer_mb_per_second", "read_gb_per_second": {...},
/// "training": [...], "conversion": [...], "against": {...}} Throws Error if the model cannot be opened or Python has
/// no transformers; Cancelled.
nlohmann::json run_bench(const BenchOptions& options, const Job& job = {});

}  // namespace lathe
