#include "app/bench_reading.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <malloc.h>

#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <span>

#include "app/bench_saved_model.h"
#include "model/io/checkpoint.h"
#include "model/io/dequantize.h"
#include "model/nn/load.h"

namespace lathe {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kBlocks = 65536;
constexpr std::int64_t kBlockValues = 256;
constexpr std::int64_t kBlockBytes = 144;  // of them two f16 scales first

double gigabytes_per_second(std::int64_t bytes, Clock::time_point start) {
  return static_cast<double>(bytes) / 1e9 / std::chrono::duration<double>(Clock::now() - start).count();
}

/// Memory that the heap kept from the last round would need no page of the system: a model's first reading has none.
void forget_memory() { malloc_trim(0); }

double measure_loading(const Checkpoint& checkpoint, const Job& job) {
  forget_memory();
  const auto start = Clock::now();
  const Model model = load_model(checkpoint, {.device = at::kCPU, .dtype = at::kBFloat16}, job);
  return gigabytes_per_second(checkpoint.tensor_bytes(), start);
}

double measure_memcpy(const Checkpoint& checkpoint) {
  constexpr std::int64_t kPerTask = 1 << 20;
  forget_memory();
  std::vector<at::Tensor> copies;  // all kept, as a model is
  const auto start = Clock::now();
  for (const auto& [name, entry] : checkpoint.tensors()) {
    const std::byte* from = entry.bytes.data();
    copies.push_back(at::empty({entry.num_bytes()}, at::TensorOptions().dtype(at::kByte)));
    auto* to = copies.back().mutable_data_ptr<std::uint8_t>();
    at::parallel_for(0, entry.num_bytes(), kPerTask, [&](std::int64_t first, std::int64_t last) {
      std::memcpy(to + first, from + first, static_cast<std::size_t>(last - first));
    });
  }
  return gigabytes_per_second(checkpoint.tensor_bytes(), start);
}

}  // namespace

std::vector<std::byte> random_q4_k_blocks() {
  std::vector<std::byte> blocks(kBlocks * kBlockBytes);
  std::mt19937 random(0);
  for (std::byte& byte : blocks) byte = static_cast<std::byte>(random());
  constexpr std::uint16_t kScales[] = {0x2c00, 0x2c00};  // 1/16: what random bits may be is not always a number
  for (std::int64_t i = 0; i < kBlocks; ++i) std::memcpy(blocks.data() + i * kBlockBytes, kScales, sizeof kScales);
  return blocks;
}

double measure_q4_k(const std::vector<std::byte>& blocks) {
  std::vector<float> values(kBlocks * kBlockValues);
  const std::span<const std::byte> in(blocks);
  const std::span<float> out(values);
  const auto start = Clock::now();
  at::parallel_for(0, kBlocks, /*grain_size=*/256, [&](std::int64_t first, std::int64_t last) {
    const auto from = static_cast<std::size_t>(first), count = static_cast<std::size_t>(last - first);
    dequantize(QuantType::Q4_K, in.subspan(from * kBlockBytes, count * kBlockBytes),
               out.subspan(from * kBlockValues, count * kBlockValues));
  });
  return gigabytes_per_second(static_cast<std::int64_t>(out.size_bytes()), start);
}

nlohmann::json bench_reading(const BenchOptions& options, const Job& job) {
  BenchOptions on_cpu = options;
  on_cpu.device = "cpu";
  const SavedModel saved(open_for_bench(on_cpu, "bf16", job).opened, job);
  const Checkpoint checkpoint = open_checkpoint(saved.path(), job);
  const std::vector<std::byte> blocks = random_q4_k_blocks();
  std::vector<double> loading, copying, dequantizing;
  measure_loading(checkpoint, job);
  for (std::int64_t round = 0; round < options.rounds; ++round) {
    job.progress("read files", "rounds", round, options.rounds);
    loading.push_back(measure_loading(checkpoint, job));
    copying.push_back(measure_memcpy(checkpoint));
    dequantizing.push_back(measure_q4_k(blocks));
  }
  return {{"safetensors", median(loading)},
          {"safetensors_rounds", loading},
          {"memcpy", median(copying)},
          {"memcpy_rounds", copying},
          {"safetensors_over_memcpy", median(loading) / median(copying)},
          {"q4_k", median(dequantizing)},
          {"q4_k_rounds", dequantizing}};
}

}  // namespace lathe
