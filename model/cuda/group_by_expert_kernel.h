#pragma once

#include <cstdint>

namespace lathe {

/// Device pointers of one grouping; see ExpertGroups.
struct GroupByExpertArguments {
  const std::int64_t* experts_M;
  std::int64_t num_pairs;
  std::int64_t num_experts;
  std::int64_t* order_M;
  std::int64_t* place_M;
  std::int32_t* ends_E;
};

/// Starts the kernel on `stream` (a cudaStream_t) of the current GPU. Returns what CUDA complains of, or null.
const char* launch_group_by_expert(const GroupByExpertArguments& arguments, void* stream);

}  // namespace lathe
