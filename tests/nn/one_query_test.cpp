#include "model/nn/one_query.h"

#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>

namespace lathe {
namespace {

struct OneQueryCase {
  std::int64_t batch, heads, key_heads, keys, k_width, v_width;
};

/// Keys and values as a cache holds them: the filled part of a longer tensor.
AttentionInputs inputs_of(const OneQueryCase& sizes, at::ScalarType dtype) {
  const std::int64_t capacity = sizes.keys + 7;
  return {
      .q_BHTK = at::randn({sizes.batch, 1, sizes.heads, sizes.k_width}).to(dtype).transpose(1, 2),
      .k_BGSK = at::randn({sizes.batch, sizes.key_heads, capacity, sizes.k_width}).to(dtype).narrow(2, 0, sizes.keys),
      .v_BGSW = at::randn({sizes.batch, sizes.key_heads, capacity, sizes.v_width}).to(dtype).narrow(2, 0, sizes.keys),
      .scale = 1.0 / std::sqrt(static_cast<double>(sizes.k_width))};
}

/// The same in double through the library's own operator, heads repeated by hand.
at::Tensor expected(const AttentionInputs& inputs) {
  const std::int64_t repeats = inputs.q_BHTK.size(1) / inputs.k_BGSK.size(1);
  const at::Tensor k = inputs.k_BGSK.to(at::kDouble).repeat_interleave(repeats, 1);
  const at::Tensor v = inputs.v_BGSW.to(at::kDouble).repeat_interleave(repeats, 1);
  const at::Tensor weights = inputs.q_BHTK.to(at::kDouble).matmul(k.transpose(2, 3)).mul(inputs.scale).softmax(-1);
  return weights.matmul(v);
}

class OneQuery : public testing::TestWithParam<OneQueryCase> {};

TEST_P(OneQuery, EqualsPlainAttentionInDouble) {
  const c10::InferenceMode no_gradients;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    SCOPED_TRACE(dtype);
    const AttentionInputs inputs = inputs_of(GetParam(), dtype);
    if (!is_one_query(inputs)) GTEST_SKIP() << "this processor has no AVX-512";

    const at::Tensor out = attend_one_query(inputs);

    const double error = out.to(at::kDouble).sub(expected(inputs)).abs().max().item<double>();
    EXPECT_LT(error, dtype == at::kFloat ? 2e-6 : 1e-2);
    EXPECT_EQ(out.scalar_type(), dtype);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, OneQuery,
                         testing::Values(OneQueryCase{1, 9, 3, 1, 64, 64}, OneQueryCase{1, 9, 3, 517, 64, 64},
                                         OneQueryCase{2, 4, 4, 33, 96, 32}, OneQueryCase{1, 2, 1, 1000, 128, 128},
                                         OneQueryCase{3, 6, 2, 16, 16, 80}));

TEST(OneQuery, SurvivesScoresThatAreFarApart) {
  const c10::InferenceMode no_gradients;
  AttentionInputs inputs = inputs_of({1, 2, 2, 40, 32, 32}, at::kFloat);
  inputs.scale = 1e4;
  if (!is_one_query(inputs)) GTEST_SKIP() << "this processor has no AVX-512";

  const at::Tensor out = attend_one_query(inputs);

  EXPECT_LT(out.to(at::kDouble).sub(expected(inputs)).abs().max().item<double>(), 1e-3);
}

TEST(OneQuery, LeavesOtherShapesToTheGeneralOperator) {
  EXPECT_FALSE(is_one_query(inputs_of({1, 2, 2, 5, 32, 32}, at::kFloat))) << "a gradient may be wanted";
  const c10::InferenceMode no_gradients;
  EXPECT_FALSE(is_one_query(inputs_of({1, 2, 2, 5, 24, 32}, at::kFloat))) << "no whole vectors";
  EXPECT_FALSE(is_one_query(inputs_of({1, 2, 2, 5, 32, 32}, at::kDouble)));
  AttentionInputs two = inputs_of({1, 2, 2, 5, 32, 32}, at::kFloat);
  two.q_BHTK = at::randn({1, 2, 2, 32});
  EXPECT_FALSE(is_one_query(two));
}

}  // namespace
}  // namespace lathe
