#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "converters/moe/method.h"

namespace lathe {

// D hidden_size, F intermediate size, E experts

/// A stream of normal random numbers that belongs to one expert of one layer, or to the layer's router.
class ExpertRandom {
 public:
  static constexpr std::int64_t kRouter = -1;

  ExpertRandom(std::uint64_t seed, std::int64_t layer, std::int64_t expert);

  /// Standard normal numbers, fp32 on the CPU.
  at::Tensor normal(at::IntArrayRef shape);

  /// The numbers 0 to count - 1 in random order, int64 on the CPU.
  at::Tensor permutation(std::int64_t count);

 private:
  at::Generator generator_;
};

/// Room for the plan's experts and a new router: rows drawn from N(0, router_std^2), no preference among experts.
/// The experts' weights are not set.
MoeFeedForward make_experts(const FeedForwardTask& task);

/// Sets one expert's weights, gate_FD and up_FD and down_DF in any dtype.
void set_expert(MoeFeedForward& moe, std::int64_t expert, const DenseFeedForward& weights);

}  // namespace lathe
