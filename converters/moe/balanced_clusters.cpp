#include "converters/moe/balanced_clusters.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <limits>
#include <vector>

// N things, E groups

namespace lathe {
namespace {

constexpr int kRounds = 12;
constexpr int kRoundsWithoutGain = 3;
constexpr double kOwnGroup = 1e3;  // a seed prefers the group that it began

using Groups = std::vector<std::int64_t>;  // of each thing

/// Each in turn is the one least like those before it.
std::vector<std::int64_t> unlike_things(const at::Tensor& similarity_NN, std::int64_t count) {
  std::vector<std::int64_t> seeds{similarity_NN.sum(1).argmax().item<std::int64_t>()};
  at::Tensor nearest_N = similarity_NN[seeds.front()].clone();
  while (std::ssize(seeds) < count) {
    at::Tensor open_N = nearest_N.clone();
    open_N.index_fill_(0, at::tensor(seeds, at::kLong), std::numeric_limits<double>::infinity());
    seeds.push_back(open_N.argmin().item<std::int64_t>());
    nearest_N = at::maximum(nearest_N, similarity_NN[seeds.back()]);
  }
  return seeds;
}

/// The strongest preferences are met first, as long as there is room.
Groups assign(const at::Tensor& preference_NE) {
  const std::int64_t things = preference_NE.size(0), groups = preference_NE.size(1);
  const at::Tensor relative_NE = preference_NE - preference_NE.mean(1, /*keepdim=*/true);
  const at::Tensor order = at::argsort(relative_NE.flatten(), /*stable=*/true, /*dim=*/0, /*descending=*/true);
  Groups group_of(static_cast<std::size_t>(things), -1);
  std::vector<std::int64_t> room(static_cast<std::size_t>(groups), things / groups);
  const auto* pair = order.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < order.numel(); ++i) {
    auto& group = group_of[static_cast<std::size_t>(pair[i] / groups)];
    auto& left = room[static_cast<std::size_t>(pair[i] % groups)];
    if (group >= 0 || left == 0) continue;
    group = pair[i] % groups;
    --left;
  }
  return group_of;
}

at::Tensor members_NE(const Groups& group_of, std::int64_t groups, const at::Tensor& like) {
  const at::Tensor index = at::tensor(group_of, at::kLong).unsqueeze(1);
  return at::zeros({std::ssize(group_of), groups}, like.options()).scatter_(1, index, 1.0);
}

}  // namespace

at::Tensor balanced_clusters(const at::Tensor& similarity_NN, std::int64_t groups) {
  at::Tensor similarity = similarity_NN.to(at::kCPU, at::kDouble).clone();
  similarity.diagonal().zero_();
  const std::vector<std::int64_t> seeds = unlike_things(similarity, groups);
  at::Tensor preference_NE = similarity.index_select(1, at::tensor(seeds, at::kLong));
  for (std::int64_t e = 0; e < groups; ++e) preference_NE[seeds[static_cast<std::size_t>(e)]][e].fill_(kOwnGroup);
  Groups now = assign(preference_NE), best = now;
  double best_gain = -std::numeric_limits<double>::infinity();
  for (int round = 0, best_round = 0; round < kRounds && round <= best_round + kRoundsWithoutGain; ++round) {
    const at::Tensor is_member_NE = members_NE(now, groups, similarity);
    preference_NE = similarity.matmul(is_member_NE);
    const double gain = (preference_NE * is_member_NE).sum().item<double>();
    if (gain > best_gain) {
      best_gain = gain;
      best = now;
      best_round = round;
    }
    now = assign(preference_NE);
  }
  return at::argsort(at::tensor(best, at::kLong), /*stable=*/true).view({groups, -1});
}

}  // namespace lathe
