#include "model/cuda/group_by_expert.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/bincount.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include "tests/support/gpu.h"
namespace lathe {
namespace {

at::Tensor random_choices(std::int64_t count, std::int64_t num_experts) {
  return at::randint(num_experts, {count}, at::kLong);
}

void expect_sorted(const at::Tensor& experts_M, const ExpertGroups& groups, std::int64_t num_experts) {
  const at::Tensor order_M = experts_M.argsort(/*stable=*/true);
  EXPECT_TRUE(at::equal(groups.order_M, order_M));
  EXPECT_TRUE(at::equal(groups.place_M.index_select(0, order_M), at::arange(experts_M.size(0), order_M.options())));
  EXPECT_TRUE(at::equal(groups.ends_E, experts_M.bincount({}, num_experts).cumsum(0).to(at::kInt)));
}

TEST(GroupByExpert, OrdersPairsAsAStableSortDoes) {
  for (const std::int64_t count : {1, 31, 256, 1000, 5000}) {
    SCOPED_TRACE(count);
    const at::Tensor experts_M = random_choices(count, 8);
    expect_sorted(experts_M, group_by_expert(experts_M, 8), 8);
  }
}

TEST(GroupByExpert, AnExpertThatNobodyChoseHasAnEmptyGroup) {
  const at::Tensor experts_M = random_choices(100, 3);

  const ExpertGroups groups = group_by_expert(experts_M, 6);

  expect_sorted(experts_M, groups, 6);
  EXPECT_EQ(groups.ends_E[5].item<int>(), 100);
}

TEST(GroupByExpert, NoPairsMakeEmptyGroups) {
  const ExpertGroups groups = group_by_expert(random_choices(0, 4), 4);

  EXPECT_EQ(groups.order_M.size(0), 0);
  EXPECT_EQ(groups.ends_E.sum().item<std::int64_t>(), 0);
}

TEST(GroupByExpert, AnExpertThatDoesNotExistIsRefused) {
  EXPECT_THROW(group_by_expert(at::arange(5), 4), std::exception);
}

class GroupByExpertOnAGpu : public GpuTest {};

TEST_F(GroupByExpertOnAGpu, OrdersPairsAsAStableSortDoes) {
  for (const std::int64_t count : {1, 31, 256, 1000, 100000}) {
    SCOPED_TRACE(count);
    const at::Tensor experts_M = random_choices(count, 64);

    const ExpertGroups groups = group_by_expert(experts_M.to(gpu_), 64);

    expect_sorted(experts_M, {groups.order_M.cpu(), groups.place_M.cpu(), groups.ends_E.cpu()}, 64);
  }
}

}  // namespace
}  // namespace lathe
