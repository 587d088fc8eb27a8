#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Exception.h>

#include <limits>

#include "model/cuda/group_by_expert.h"
#include "model/cuda/group_by_expert_kernel.h"

namespace lathe {

ExpertGroups group_by_expert_on_gpu(const at::Tensor& experts_M, std::int64_t num_experts) {
  TORCH_CHECK(experts_M.numel() < std::numeric_limits<std::int32_t>::max(),
              "too many pairs to group: ", experts_M.numel());
  const at::Tensor choices = experts_M.contiguous();
  ExpertGroups groups{.order_M = at::empty_like(choices),
                      .place_M = at::empty_like(choices),
                      .ends_E = at::empty({num_experts}, choices.options().dtype(at::kInt))};
  const GroupByExpertArguments arguments{.experts_M = choices.const_data_ptr<std::int64_t>(),
                                         .num_pairs = choices.size(0),
                                         .num_experts = num_experts,
                                         .order_M = groups.order_M.data_ptr<std::int64_t>(),
                                         .place_M = groups.place_M.data_ptr<std::int64_t>(),
                                         .ends_E = groups.ends_E.data_ptr<std::int32_t>()};
  const c10::DeviceGuard guard(choices.device());
  const c10::Stream stream = c10::impl::VirtualGuardImpl(choices.device().type()).getStream(choices.device());
  const char* complaint = launch_group_by_expert(arguments, stream.native_handle());
  TORCH_CHECK(complaint == nullptr, "group_by_expert: ", complaint);
  return groups;
}

}  // namespace lathe
