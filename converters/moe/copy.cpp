#include "converters/moe/copy.h"

#include <ATen/TensorOperators.h>

#include "converters/moe/experts.h"

namespace lathe {
namespace {

Linear with_noise(const Linear& linear, double fraction, ExpertRandom& random) {
  const at::Tensor weight = linear.weight_OI.to(at::kFloat);
  const at::Tensor noise = random.normal(weight.sizes()).to(weight.device());
  return {weight + noise * (weight.std() * fraction), {}};
}

}  // namespace

MoeFeedForward copy_experts(const FeedForwardTask& task) {
  MoeFeedForward moe = make_experts(task);
  for (std::int64_t expert = 0; expert < task.plan.num_experts; ++expert) {
    task.tick(0);
    if (task.plan.noise == 0.0) {
      set_expert(moe, expert, task.dense);
      continue;
    }
    ExpertRandom random(task.seed, task.index, expert);
    set_expert(moe, expert,
               {.gate = with_noise(task.dense.gate, task.plan.noise, random),
                .up = with_noise(task.dense.up, task.plan.noise, random),
                .down = with_noise(task.dense.down, task.plan.noise, random)});
  }
  return moe;
}

}  // namespace lathe
