#include "model/cuda/group_by_expert_kernel.h"

namespace lathe {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;

/// The sum of `value` over the block, the same in every thread.
__device__ int block_sum(int value, int* totals) {
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(~0u, value, offset);
  if (threadIdx.x % 32 == 0) totals[threadIdx.x / 32] = value;
  __syncthreads();
  int sum = 0;
  for (int warp = 0; warp < kWarps; ++warp) sum += totals[warp];
  __syncthreads();
  return sum;
}

// A block an expert. It counts the pairs of smaller experts, which is where its own begin, then places its own in
// order: stable, with no atomics, so the same bits every time.
__global__ void group_by_expert(GroupByExpertArguments group) {
  __shared__ int totals[kWarps];
  const int expert = static_cast<int>(blockIdx.x);
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;

  int smaller = 0;
  for (std::int64_t i = threadIdx.x; i < group.num_pairs; i += kThreads) smaller += group.experts_M[i] < expert;
  int next = block_sum(smaller, totals);

  for (std::int64_t tile = 0; tile < group.num_pairs; tile += kThreads) {
    const std::int64_t i = tile + threadIdx.x;
    const bool mine = i < group.num_pairs && group.experts_M[i] == expert;
    const unsigned votes = __ballot_sync(~0u, mine);
    if (lane == 0) totals[warp] = __popc(votes);
    __syncthreads();
    int place = next + __popc(votes & ((1u << lane) - 1));
    for (int other = 0; other < kWarps; ++other) {
      if (other < warp) place += totals[other];
      next += totals[other];
    }
    if (mine) {
      group.order_M[place] = i;
      group.place_M[i] = place;
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) group.ends_E[expert] = next;
}

}  // namespace

const char* launch_group_by_expert(const GroupByExpertArguments& arguments, void* stream) {
  const auto blocks = static_cast<unsigned>(arguments.num_experts);
  group_by_expert<<<blocks, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(arguments);
  const cudaError_t status = cudaGetLastError();
  return status == cudaSuccess ? nullptr : cudaGetErrorString(status);
}

}  // namespace lathe
