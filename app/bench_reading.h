#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "app/bench_speed.h"

namespace lathe {

/// Gigabytes (10^9) of tensors a second that are made of files whose pages are in memory. Medians of the rounds, which
/// stand beside them:
/// {"safetensors": the bf16 model from a folder to the CPU, "memcpy": the same bytes from the same mapped files into
/// new memory with as many threads, "safetensors_over_memcpy", "q4_k": blocks to f32, counted as f32}.
/// Throws Error if the temporary folder has no room for the model; Cancelled.
nlohmann::json bench_reading(const BenchOptions& options, const Job& job);

/// 65,536 blocks of Q4_K, 256 values each, of random weights.
std::vector<std::byte> random_q4_k_blocks();

/// Gigabytes of f32 a second that the blocks become.
double measure_q4_k(const std::vector<std::byte>& blocks);

}  // namespace lathe
