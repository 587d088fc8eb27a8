#include <ATen/ops/amax.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "model/infer/attention_map.h"
#include "model/infer/latent_moments.h"
#include "model/infer/router_choices.h"
#include "model/infer/token_ids.h"
#include "model/nn/forward.h"
#include "tests/infer/tiny_models.h"

namespace lathe {
namespace {

using test::random_ids;
using test::tiny_mixed_model;
using testing::ElementsAre;
using testing::HasSubstr;

/// What the network itself reports under `name`, by layer.
std::map<std::int64_t, at::Tensor> tapped(const Model& model, std::span<const std::int32_t> ids,
                                          std::string_view name) {
  std::map<std::int64_t, at::Tensor> values;
  const Probe probe([&](std::string_view tap, std::int64_t) { return tap == name; },
                    [&](std::string_view, std::int64_t layer, const at::Tensor& value) { values[layer] = value; });
  const c10::InferenceMode no_gradients;
  hidden_states(model, ids_tensor(model, ids), {.cache = nullptr, .probe = &probe});
  return values;
}

at::Tensor cells_of(const AttentionMap& map) {
  return at::from_blob(const_cast<float*>(map.weights.data()), {map.side, map.side}, at::kFloat).clone();
}

TEST(AttentionMap, EqualsTheMaterialisedSoftmaxOfEveryHeadOfGqaAndMla) {
  const Model model = tiny_mixed_model();
  const auto ids = random_ids(300);
  const auto weights = tapped(model, ids, tap::kAttentionWeights);
  for (std::int64_t layer = 0; layer < 4; ++layer) {
    for (std::int64_t head = 0; head < 4; ++head) {
      SCOPED_TRACE(testing::Message() << "layer " << layer << " head " << head);

      const AttentionMap map = attention_map(model, ids, {.layer = layer, .head = head, .max_side = 300});

      EXPECT_EQ(map.pool, 1);
      EXPECT_EQ(map.side, 300);
      const at::Tensor difference = cells_of(map).sub(weights.at(layer)[0][head]);
      EXPECT_LT(difference.abs().max().item<float>(), 1e-5);
    }
  }
}

TEST(AttentionMap, NeverLosesAPeakWhenItPools) {
  const Model model = tiny_mixed_model();
  const auto ids = random_ids(1100);
  const at::Tensor full = cells_of(attention_map(model, ids, {.layer = 1, .head = 2, .max_side = 1100}));

  const AttentionMap map = attention_map(model, ids, {.layer = 1, .head = 2, .max_side = 96});

  EXPECT_EQ(map.num_tokens, 1100);
  EXPECT_EQ(map.pool, 12);
  EXPECT_EQ(map.side, 92);
  const at::Tensor cells = cells_of(map);
  for (std::int64_t row = 0; row < map.side; ++row) {
    for (std::int64_t column = 0; column < map.side; ++column) {
      const std::int64_t height = std::min(map.pool, 1100 - row * map.pool);
      const std::int64_t width = std::min(map.pool, 1100 - column * map.pool);
      const at::Tensor block = full.narrow(0, row * map.pool, height).narrow(1, column * map.pool, width);
      ASSERT_EQ(cells[row][column].item<float>(), block.max().item<float>()) << row << ", " << column;
    }
  }
}

TEST(AttentionMap, NeverExceedsTheSideAskedFor) {
  const auto ids = random_ids(50);
  for (std::int64_t side = 1; side <= 60; ++side) {
    const AttentionMap map = attention_map(tiny_mixed_model(), ids, {.layer = 0, .head = 0, .max_side = side});
    ASSERT_LE(map.side, side);
    ASSERT_EQ(map.weights.size(), static_cast<std::size_t>(map.side * map.side));
    ASSERT_GE(map.side * map.pool, 50);
    ASSERT_TRUE(map.pool == 1 || (50 + map.pool - 2) / (map.pool - 1) > side) << "a smaller pool would have fitted";
  }
}

TEST(AttentionMap, SaysWhichLayersAndHeadsThereAre) {
  const Model model = tiny_mixed_model();
  const auto ids = random_ids(5);
  const auto looking = [&](AttentionView view) { return [&model, &ids, view] { attention_map(model, ids, view); }; };

  EXPECT_THAT(looking({.layer = 4}), testing::ThrowsMessage<Error>(HasSubstr("layers 0 to 3")));
  EXPECT_THAT(looking({.head = -1}), testing::ThrowsMessage<Error>(HasSubstr("heads 0 to 3")));
  EXPECT_THAT(looking({.max_side = 0}), testing::ThrowsMessage<Error>(HasSubstr("at least 1")));
  EXPECT_THAT([&] { attention_map(model, {}, {}); }, testing::ThrowsMessage<Error>(HasSubstr("no token")));
}

TEST(RouterChoices, AreTheBestExpertsOfEachTokenWithRenormalisedWeights) {
  const Model model = tiny_mixed_model();
  const auto ids = random_ids(40);
  const auto logits = tapped(model, ids, tap::kRouterLogits);

  const auto pictures = router_choices(model, ids);

  ASSERT_EQ(pictures.size(), 2U);
  for (const RouterChoices& picture : pictures) {
    const at::Tensor logits_NE = logits.at(picture.layer).contiguous();
    EXPECT_EQ(picture.num_experts, 4);
    ASSERT_EQ(picture.top_k, 2);
    ASSERT_EQ(picture.experts.size(), 80U);
    for (std::size_t token = 0; token < 40; ++token) {
      const float* row = logits_NE.const_data_ptr<float>() + token * 4;
      std::array<std::int32_t, 4> order = {0, 1, 2, 3};
      std::ranges::sort(order, std::greater<>(), [&](std::int32_t expert) { return row[expert]; });
      EXPECT_EQ(picture.experts[2 * token], order[0]);
      EXPECT_EQ(picture.experts[2 * token + 1], order[1]);
      EXPECT_NEAR(picture.weights[2 * token], 1 / (1 + std::exp(row[order[1]] - row[order[0]])), 1e-5);
      EXPECT_NEAR(picture.weights[2 * token] + picture.weights[2 * token + 1], 1, 1e-5);
    }
  }
}

TEST(RouterChoices, AreNoneForADenseModel) {
  EXPECT_TRUE(router_choices(test::tiny_model({{"gqa", "dense"}}), random_ids(3)).empty());
}

TEST(LatentMoments, GiveTheEigenvaluesOfTheSecondMoment) {
  LatentMoments moments(1e12);
  moments.add(3, at::tensor({3.0F, 0.0F, 0.0F, 4.0F}).view({1, 2, 2}));
  moments.add(3, at::tensor({0.0F, 2.0F}).view({1, 1, 2}).to(at::kBFloat16));

  const LiveLatent latent = moments.spectrum(3);

  EXPECT_EQ(latent.layer, 3);
  EXPECT_EQ(latent.num_tokens, 3);
  EXPECT_THAT(latent.eigenvalues, ElementsAre(testing::FloatEq(20.0F / 3), testing::FloatEq(9.0F / 3)));
}

TEST(LatentMoments, ForgetOldTokens) {
  LatentMoments moments(10);
  moments.add(0, at::tensor({100.0F, 0.0F}).view({1, 1, 2}));
  for (int i = 0; i < 400; ++i) moments.add(0, at::tensor({0.0F, 1.0F}).view({1, 1, 2}));

  const LiveLatent latent = moments.spectrum(0);

  EXPECT_NEAR(latent.eigenvalues[0], 1.0F, 1e-5);
  EXPECT_NEAR(latent.eigenvalues[1], 0.0F, 1e-5);
}

TEST(LatentMoments, SayWhenALayerShowedNothing) {
  EXPECT_THAT([] { LatentMoments().spectrum(2); }, testing::ThrowsMessage<Error>(HasSubstr("layer 2")));
}

TEST(TokenTexts, ReadAsTheTokenizerSpellsThem) {
  const std::vector<std::int32_t> ids = {'a', ' ', 0xE2};

  const auto texts = token_texts(test::byte_tokenizer(), ids);

  ASSERT_EQ(texts.size(), 3U);
  EXPECT_EQ(texts[0].text, "a");
  EXPECT_EQ(texts[1].text, " ");
  EXPECT_EQ(texts[2].text, "<0xE2>");
  EXPECT_EQ(texts[2].id, 0xE2);
}

}  // namespace
}  // namespace lathe
