#include "model/cuda/group_by_expert.h"

#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>

#include <vector>

namespace lathe {

ExpertGroups group_by_expert(const at::Tensor& experts_M, std::int64_t num_experts) {
  TORCH_CHECK(experts_M.dim() == 1 && experts_M.scalar_type() == at::kLong, "expected a row of int64 expert numbers");
  if (!experts_M.is_cpu()) return group_by_expert_on_gpu(experts_M, num_experts);
  const at::Tensor choices = experts_M.contiguous();
  const std::int64_t* expert = choices.const_data_ptr<std::int64_t>();
  const std::int64_t count = choices.size(0);
  ExpertGroups groups{.order_M = at::empty({count}, choices.options()),
                      .place_M = at::empty({count}, choices.options()),
                      .ends_E = at::empty({num_experts}, choices.options().dtype(at::kInt))};
  std::vector<std::int64_t> next(static_cast<std::size_t>(num_experts) + 1, 0);
  for (std::int64_t i = 0; i < count; ++i) {
    TORCH_CHECK(expert[i] >= 0 && expert[i] < num_experts, "expert ", expert[i], " of ", num_experts);
    ++next[static_cast<std::size_t>(expert[i]) + 1];
  }
  std::int32_t* ends = groups.ends_E.data_ptr<std::int32_t>();
  for (std::size_t e = 1; e < next.size(); ++e) {
    next[e] += next[e - 1];
    ends[e - 1] = static_cast<std::int32_t>(next[e]);
  }
  std::int64_t* order = groups.order_M.data_ptr<std::int64_t>();
  std::int64_t* place = groups.place_M.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < count; ++i) {
    place[i] = next[static_cast<std::size_t>(expert[i])]++;
    order[place[i]] = i;
  }
  return groups;
}

}  // namespace lathe
