#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>

#include "model/cuda/group_by_expert.h"

namespace lathe {

ExpertGroups group_by_expert_on_gpu(const at::Tensor& experts_M, std::int64_t num_experts) {
  const at::Tensor order_M = experts_M.argsort(/*stable=*/true);
  const at::Tensor place_M =
      at::empty_like(order_M).scatter_(0, order_M, at::arange(order_M.size(0), order_M.options()));
  // bincount would wait for the GPU to learn the largest number.
  const at::Tensor expert_1E = at::arange(num_experts, experts_M.options()).unsqueeze(0);
  const at::Tensor ends_E = experts_M.unsqueeze(1).le(expert_1E).sum(0).to(at::kInt);
  return {.order_M = order_M, .place_M = place_M, .ends_E = ends_E};
}

}  // namespace lathe
