#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lathe {

/// Divides N things into E groups of N / E each, such that what is alike is together: balanced kernel k-means on a
/// similarity whose diagonal does not count. Starts from things that are unlike each other, then gives each a group in
/// the order of how much it prefers it, until no round is better. similarity_NN (any dtype) -> int64 [E, N / E] on the
/// CPU. The same input gives the same groups. N must be a multiple of E.
at::Tensor balanced_clusters(const at::Tensor& similarity_NN, std::int64_t groups);

}  // namespace lathe
