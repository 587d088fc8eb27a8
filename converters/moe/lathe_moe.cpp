#include "converters/moe/lathe_moe.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/zeros.h>

#include <utility>

#include "converters/moe/balanced_clusters.h"
#include "converters/moe/experts.h"
#include "converters/ridge.h"
#include "converters/windows.h"
#include "model/nn/feed_forward.h"
#include "model/nn/linear.h"
#include "model/nn/router.h"

// N tokens of some windows, D hidden_size, F intermediate size, E experts of X neurons, S neurons always on,
// Z = F + E + 1 columns of the least squares

namespace lathe {
namespace {

constexpr std::int64_t kEveryNthToken = 4;  // is enough to see which neurons are alike
constexpr double kSmallestMass = 1e-3;      // of an expert's mean: its logarithm stays finite
constexpr double kLeastMass = 1e-30;        // of experts whose neurons never fire
constexpr double kRouterRidge = 1e-3;
constexpr double kNeuronRidge = 0.1;
constexpr double kBiasRidge = 1e-2;
constexpr double kDiagonalGrowth = 1.01;
constexpr double kLargestTokenWeight = 5.0;  // of the mean

/// The block in fp32, and the size of what each neuron writes.
struct Block {
  at::Tensor gate_FD, up_FD, down_DF;
  at::Tensor size_F;
};

Block in_fp32(const DenseFeedForward& dense) {
  Block block{
      dense.gate.weight_OI.to(at::kFloat), dense.up.weight_OI.to(at::kFloat), dense.down.weight_OI.to(at::kFloat), {}};
  block.size_F = block.down_DF.norm(2, 0);
  return block;
}

at::Tensor activity(const Block& block, const at::Tensor& x_ND) {
  return swiglu(at::linear(x_ND, block.gate_FD), at::linear(x_ND, block.up_FD));
}

/// Calls use(x_ND, first, count) for the calibration windows, some at a time.
template <typename Use>
void for_tokens(const FeedForwardTask& task, const Use& use) {
  const at::Tensor& x_BTD = task.activations.x_BTD;
  for_windows(x_BTD, [&](std::int64_t first, std::int64_t count) {
    use(x_BTD.narrow(0, first, count).flatten(0, 1).to(at::kFloat), first, count);
    task.tick(count);
  });
}

/// What the neurons do over the text.
struct Statistics {
  at::Tensor importance_F;   ///< mean |h| |w_down|
  at::Tensor mass_F;         ///< mean (h |w_down|)^2
  at::Tensor similarity_FF;  ///< correlation of sqrt(|h| |w_down|)
};

Statistics neuron_statistics(const FeedForwardTask& task, const Block& block) {
  const auto zeros = [&](at::IntArrayRef shape) { return at::zeros(shape, block.size_F.options().dtype(at::kDouble)); };
  const std::int64_t neurons = block.size_F.size(0);
  at::Tensor importance_F = zeros({neurons}), mass_F = zeros({neurons}), sum_F = zeros({neurons});
  at::Tensor gram_FF = zeros({neurons, neurons});
  std::int64_t tokens = 0, sampled = 0;
  for_tokens(task, [&](const at::Tensor& x_ND, std::int64_t, std::int64_t) {
    const at::Tensor written_NF = activity(block, x_ND).abs_().mul_(block.size_F);
    importance_F += written_NF.sum(0);
    mass_F += written_NF.square().sum(0);
    const at::Tensor feature_NF = written_NF.slice(0, 0, std::nullopt, kEveryNthToken).sqrt();
    sum_F += feature_NF.sum(0);
    gram_FF += feature_NF.t().matmul(feature_NF);
    tokens += x_ND.size(0);
    sampled += feature_NF.size(0);
  });
  const at::Tensor covariance_FF = gram_FF - at::outer(sum_F, sum_F) / static_cast<double>(sampled);
  const at::Tensor norm_F = covariance_FF.diagonal().clamp_min(1e-30).sqrt();
  return {importance_F / static_cast<double>(tokens), mass_F / static_cast<double>(tokens),
          covariance_FF / at::outer(norm_F, norm_F)};
}

/// Which neurons go where: indices of neurons, int64.
struct Split {
  at::Tensor shared_S;
  at::Tensor experts_EX;
  at::Tensor belongs_EF;  ///< 1 where a neuron is of an expert, fp32
};

Split split_neurons(const FeedForwardTask& task, const Statistics& statistics) {
  const at::Device device = statistics.importance_F.device();
  const std::int64_t neurons = statistics.importance_F.size(0);
  const SplitSizes sizes = split_sizes(task.plan, neurons);
  const at::Tensor order_F = at::argsort(statistics.importance_F.cpu(), /*stable=*/true, 0, /*descending=*/true);
  const at::Tensor rest = order_F.narrow(0, sizes.shared, neurons - sizes.shared);
  const at::Tensor places = rest.to(device);
  const at::Tensor groups_EX = balanced_clusters(
      statistics.similarity_FF.index_select(0, places).index_select(1, places), task.plan.num_experts);
  Split split;
  split.shared_S = order_F.narrow(0, 0, sizes.shared).to(device);
  split.experts_EX = rest.index_select(0, groups_EX.flatten()).view(groups_EX.sizes()).to(device);
  split.belongs_EF = at::zeros({task.plan.num_experts, neurons}, at::TensorOptions().device(device))
                         .scatter_(1, split.experts_EX, 1.0);
  return split;
}

Linear fit_router(const FeedForwardTask& task, const Block& block, const Split& split, const at::Tensor& mass_F) {
  const at::Tensor floor_E = split.belongs_EF.mv(mass_F.to(at::kFloat)).mul_(kSmallestMass).clamp_min_(kLeastMass);
  CentredRidge ridge;
  for_tokens(task, [&](const at::Tensor& x_ND, std::int64_t, std::int64_t) {
    const at::Tensor mass_NF = activity(block, x_ND).mul_(block.size_F).square_();
    ridge.add(x_ND, (mass_NF.matmul(split.belongs_EF.t()) + floor_E).log());
  });
  return ridge.solve(at::zeros({split.experts_EX.size(0), block.gate_FD.size(1)}, block.gate_FD.options()),
                     kRouterRidge);
}

/// What the least squares finds beside the new W_down.
struct Biases {
  at::Tensor experts_ED;
  at::Tensor constant_D;
};

MoeFeedForward assemble(const Block& block, const Split& split, const Linear& router, const Biases& biases,
                        at::ScalarType dtype) {
  const auto rows = [&](const at::Tensor& weight_FD, const at::Tensor& of) { return weight_FD.index_select(0, of); };
  const at::Tensor flat = split.experts_EX.flatten();
  const std::int64_t experts = split.experts_EX.size(0), width = split.experts_EX.size(1);
  const std::int64_t hidden = block.gate_FD.size(1);
  const at::Tensor gate_EXD = rows(block.gate_FD, flat).view({experts, width, hidden});
  const at::Tensor up_EXD = rows(block.up_FD, flat).view({experts, width, hidden});
  MoeFeedForward moe;
  moe.router_ED = router.weight_OI.to(dtype);
  moe.router_bias_E = router.bias_O.to(dtype);
  moe.experts_gate_up_E2FD = at::cat({gate_EXD, up_EXD}, 1).to(dtype);
  moe.experts_down_EDF =
      rows(block.down_DF.t(), flat).view({experts, width, hidden}).transpose(1, 2).to(dtype).contiguous();
  moe.experts_down_bias_ED = biases.experts_ED.to(dtype);
  moe.shared.gate.weight_OI = rows(block.gate_FD, split.shared_S).to(dtype);
  moe.shared.up.weight_OI = rows(block.up_FD, split.shared_S).to(dtype);
  moe.shared.down = {block.down_DF.index_select(1, split.shared_S).to(dtype).contiguous(), biases.constant_D.to(dtype)};
  return moe;
}

/// Sums of the least squares of what the block lacks on [active neurons, chosen experts, 1].
struct NormalEquations {
  at::Tensor gram_ZZ, right_ZD;
};

NormalEquations normal_equations(const FeedForwardTask& task, const Block& block, const Split& split,
                                 const MoeFeedForward& moe) {
  const at::Tensor inverse_BT = task.activations.residual_BTD.to(at::kFloat).norm(2, -1).clamp_min(1e-20).reciprocal();
  const at::Tensor weight_BT = (inverse_BT / inverse_BT.mean()).clamp_max(kLargestTokenWeight);
  NormalEquations sums;
  for_tokens(task, [&](const at::Tensor& x_ND, std::int64_t first, std::int64_t count) {
    const at::Tensor weight_N1 = weight_BT.narrow(0, first, count).flatten().unsqueeze(1);
    const at::Tensor chosen = route(task.planned, moe, x_ND).choice_NK;
    const at::Tensor chosen_NE =
        at::zeros({x_ND.size(0), split.experts_EX.size(0)}, x_ND.options()).scatter_(1, chosen, 1.0);
    at::Tensor active_NF = chosen_NE.matmul(split.belongs_EF);
    active_NF.index_fill_(1, split.shared_S, 1.0);
    const at::Tensor h_NF = activity(block, x_ND).mul_(active_NF);
    const at::Tensor target_ND = task.activations.target_BTD.narrow(0, first, count).flatten(0, 1).to(at::kFloat);
    const at::Tensor lacks_ND = (target_ND - at::linear(h_NF, block.down_DF)) * weight_N1;
    const at::Tensor z_NZ = at::cat({h_NF * weight_N1, chosen_NE * weight_N1, weight_N1}, 1);
    const at::Tensor gram_ZZ = z_NZ.t().matmul(z_NZ).to(at::kDouble),
                     right_ZD = z_NZ.t().matmul(lacks_ND).to(at::kDouble);
    sums.gram_ZZ = sums.gram_ZZ.defined() ? sums.gram_ZZ.add_(gram_ZZ) : gram_ZZ;
    sums.right_ZD = sums.right_ZD.defined() ? sums.right_ZD.add_(right_ZD) : right_ZD;
  });
  return sums;
}

/// Changes block.down_DF and returns the biases.
Biases refit(NormalEquations sums, Block& block, std::int64_t experts) {
  const std::int64_t neurons = block.size_F.size(0);
  const at::Tensor diagonal_Z = sums.gram_ZZ.diagonal();
  const at::Tensor of_neurons = diagonal_Z.narrow(0, 0, neurons),
                   of_biases = diagonal_Z.narrow(0, neurons, experts + 1);
  const at::Tensor neuron_ridge = of_neurons.mean() * kNeuronRidge, bias_ridge = of_biases.mean() * kBiasRidge;
  diagonal_Z.mul_(kDiagonalGrowth).add_(kLeastMass);  // a block of zeros has a solution too
  of_neurons.add_(neuron_ridge);
  of_biases.add_(bias_ridge);
  const at::Tensor change_ZD = at::linalg_solve(sums.gram_ZZ, sums.right_ZD).to(at::kFloat);
  block.down_DF = block.down_DF + change_ZD.narrow(0, 0, neurons).t();
  return {change_ZD.narrow(0, neurons, experts), change_ZD.select(0, neurons + experts)};
}

}  // namespace

MoeFeedForward lathe_moe(const FeedForwardTask& task) {
  const at::ScalarType dtype = task.dense.gate.weight_OI.scalar_type();
  Block block = in_fp32(task.dense);
  const Statistics statistics = neuron_statistics(task, block);
  const Split split = split_neurons(task, statistics);
  const Linear router = fit_router(task, block, split, statistics.mass_F);
  const std::int64_t experts = split.experts_EX.size(0), hidden = block.gate_FD.size(1);
  const auto options = block.gate_FD.options();
  const Biases none{at::zeros({experts, hidden}, options), at::zeros({hidden}, options)};
  const MoeFeedForward unfitted = assemble(block, split, router, none, at::kFloat);
  task.note("router", assemble(block, split, router, none, dtype));
  const Biases biases = refit(normal_equations(task, block, split, unfitted), block, experts);
  return assemble(block, split, router, biases, dtype);
}

}  // namespace lathe
