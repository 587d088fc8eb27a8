#include "converters/moe/experts.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/zeros.h>

namespace lathe {
namespace {

// SplitMix64: neighbouring inputs give unrelated outputs.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31U);
}

std::uint64_t stream_of(std::uint64_t seed, std::int64_t layer, std::int64_t expert) {
  return mix(mix(mix(seed) ^ static_cast<std::uint64_t>(layer)) ^ static_cast<std::uint64_t>(expert));
}

}  // namespace

ExpertRandom::ExpertRandom(std::uint64_t seed, std::int64_t layer, std::int64_t expert)
    : generator_(at::make_generator<at::CPUGeneratorImpl>(stream_of(seed, layer, expert))) {}

at::Tensor ExpertRandom::normal(at::IntArrayRef shape) { return at::randn(shape, generator_, at::kFloat); }

at::Tensor ExpertRandom::permutation(std::int64_t count) { return at::randperm(count, generator_, at::kLong); }

MoeFeedForward make_experts(const FeedForwardTask& task) {
  const std::int64_t experts = task.plan.num_experts;
  const at::Tensor& gate_FD = task.dense.gate.weight_OI;
  const std::int64_t intermediate = gate_FD.size(0);
  const std::int64_t hidden = gate_FD.size(1);
  const auto options = gate_FD.options();
  MoeFeedForward moe;
  ExpertRandom random(task.seed, task.index, ExpertRandom::kRouter);
  moe.router_ED = (random.normal({experts, hidden}) * task.plan.router_std).to(options);
  if (task.plan.router == RouterKind::Sigmoid) {
    moe.correction_bias_E = at::zeros({experts}, options.dtype(at::kFloat));  // whatever the model's dtype: dtype_in()
  }
  moe.experts_gate_up_E2FD = at::empty({experts, 2 * intermediate, hidden}, options);
  moe.experts_down_EDF = at::empty({experts, hidden, intermediate}, options);
  return moe;
}

void set_expert(MoeFeedForward& moe, std::int64_t expert, const DenseFeedForward& weights) {
  const std::int64_t intermediate = weights.gate.weight_OI.size(0);
  const at::Tensor gate_up_2FD = moe.experts_gate_up_E2FD.select(0, expert);
  gate_up_2FD.narrow(0, 0, intermediate).copy_(weights.gate.weight_OI);
  gate_up_2FD.narrow(0, intermediate, intermediate).copy_(weights.up.weight_OI);
  moe.experts_down_EDF.select(0, expert).copy_(weights.down.weight_OI);
}

}  // namespace lathe
