#include "converters/moe/drop_upcycling.h"

#include <ATen/TensorOperators.h>

#include "converters/moe/experts.h"

// F intermediate size, D hidden_size

namespace lathe {
namespace {

// Draws the rows (neuron_dim 0: gate, up) or columns (1: down) of `neurons` anew.
Linear redrawn(const Linear& linear, std::int64_t neuron_dim, const at::Tensor& neurons, ExpertRandom& random) {
  const at::Tensor weight = linear.weight_OI.to(at::kFloat);
  if (neurons.numel() == 0) return {weight, {}};
  const at::Tensor index = neurons.to(weight.device());
  const at::Tensor replaced = weight.index_select(neuron_dim, index);
  const at::Tensor noise = random.normal(replaced.sizes()).to(weight.device());
  return {weight.index_copy(neuron_dim, index, replaced.mean() + noise * replaced.std()), {}};
}

}  // namespace

// The authors' code also shuffles the neurons of each expert, the same way in all three tensors. That changes neither
// the function nor which neurons are dropped together, so the dense order is kept: neuron i can still be compared.
MoeFeedForward drop_upcycling(const FeedForwardTask& task) {
  MoeFeedForward moe = make_experts(task);
  const std::int64_t neurons = task.dense.gate.weight_OI.size(0);
  const auto dropped = static_cast<std::int64_t>(task.plan.drop_ratio * static_cast<double>(neurons));
  for (std::int64_t expert = 0; expert < task.plan.num_experts; ++expert) {
    task.tick(0);
    ExpertRandom random(task.seed, task.index, expert);
    const auto draw = [&] { return random.permutation(neurons).narrow(0, 0, dropped); };
    const at::Tensor shared = draw();
    const auto next = [&] { return task.plan.index_mode == IndexMode::Shared ? shared : draw(); };
    DenseFeedForward weights;
    weights.gate = redrawn(task.dense.gate, 0, next(), random);
    weights.down = redrawn(task.dense.down, 1, next(), random);
    weights.up = redrawn(task.dense.up, 0, next(), random);
    set_expert(moe, expert, weights);
  }
  return moe;
}

}  // namespace lathe
