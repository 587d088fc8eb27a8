#include "model/infer/sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "model/data/error.h"
#include "model/infer/random.h"
#include "tests/support/python.h"

namespace lathe {
namespace {

using testing::ElementsAre;

std::vector<float> random_logits(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0F, 3.0F);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = normal(engine);
  return logits;
}

GenerateSettings drawing(double temperature) {
  GenerateSettings settings;
  settings.temperature = temperature;
  return settings;
}

std::vector<std::int32_t> ids_of(const std::vector<Candidate>& candidates) {
  std::vector<std::int32_t> ids;
  for (const Candidate& candidate : candidates) ids.push_back(candidate.id);
  std::ranges::sort(ids);
  return ids;
}

TEST(Random, GivesThePublishedPhiloxVectors) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, IsUniformAndDependsOnTheWholeSeedAndDraw) {
  constexpr int kDraws = 100000;
  std::array<int, 10> counts{};
  for (std::uint64_t draw = 0; draw < kDraws; ++draw) ++counts[static_cast<std::size_t>(uniform(7, draw) * 10)];
  double chi_square = 0;
  for (const int count : counts) chi_square += std::pow(count - kDraws / 10.0, 2) / (kDraws / 10.0);

  EXPECT_LT(chi_square, 27.9);  // 9 degrees of freedom, p = 0.001
  EXPECT_NE(uniform(7, 0), uniform(7, 1ULL << 32));
  EXPECT_NE(uniform(7, 0), uniform(7 + (1ULL << 32), 0));
}

TEST(Sampler, KeepsTheTokensAndProbabilitiesOfTransformersForRandomSettings) {
  LATHE_NEEDS_PYTHON("transformers torch");
  std::mt19937 engine(11);
  const auto pick = [&](auto... values) {
    const std::array options{values...};
    return options[engine() % options.size()];
  };
  nlohmann::json cases = nlohmann::json::array();
  for (unsigned i = 0; i < 200; ++i) {
    GenerateSettings settings = drawing(pick(0.3, 0.7, 1.0, 1.7));
    settings.top_k = pick(0, 1, 5, 40, 5000);
    settings.top_p = pick(0.01, 0.5, 0.9, 0.999, 1.0);
    settings.min_p = pick(0.0, 0.0, 0.02, 0.3);
    settings.repetition_penalty = pick(1.0, 1.1, 2.0, 0.7);
    const std::vector<float> logits = random_logits(pick(20U, 1000U), i);
    std::vector<std::size_t> seen;
    for (auto n = engine() % 9 + 1; n > 0; --n) seen.push_back(engine() % logits.size());
    cases.push_back({{"logits", logits}, {"seen", seen}, {"settings", generate_settings_to_json(settings)}});
  }

  const nlohmann::json expected = run_python("infer/sampling_reference.py", cases);

  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(cases[i]["settings"].dump());
    Sampler sampler(generate_settings_from_json(cases[i]["settings"]));
    for (const auto& id : cases[i]["seen"]) sampler.see(id.get<std::int32_t>());
    auto candidates = sampler.candidates(cases[i]["logits"].get<std::vector<float>>());
    std::ranges::sort(candidates, {}, &Candidate::id);
    ASSERT_EQ(ids_of(candidates), expected[i]["ids"].get<std::vector<std::int32_t>>());
    for (std::size_t k = 0; k < candidates.size(); ++k) {
      EXPECT_NEAR(candidates[k].probability, expected[i]["probabilities"][k].get<float>(), 1e-5);
    }
  }
}

TEST(Sampler, DrawsEachTokenAsOftenAsItsProbabilitySays) {
  constexpr int kDraws = 50000;
  Sampler sampler([] {
    GenerateSettings settings = drawing(0.8);
    settings.top_k = 6;
    settings.seed = 3;
    return settings;
  }());
  const std::vector<float> logits = random_logits(30, 5);
  const auto candidates = sampler.candidates(logits);
  std::vector<int> counts(logits.size());

  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(sampler.choose(logits))];

  double chi_square = 0;
  int counted = 0;
  for (const Candidate& candidate : candidates) {
    const double expected = candidate.probability * double{kDraws};
    const int count = counts[static_cast<std::size_t>(candidate.id)];
    chi_square += std::pow(count - expected, 2) / expected;
    counted += count;
  }
  EXPECT_EQ(counted, kDraws) << "a token was drawn that no filter left";
  EXPECT_LT(chi_square, 20.5);  // 5 degrees of freedom, p = 0.001
}

TEST(Sampler, DrawsTheSameTokensForTheSameSeedOnly) {
  const std::vector<float> logits = random_logits(500, 9);
  const auto drawn = [&](std::uint64_t seed) {
    GenerateSettings settings = drawing(1.5);
    settings.seed = seed;
    Sampler sampler(settings);
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 40; ++i) ids.push_back(sampler.choose(logits));
    return ids;
  };

  EXPECT_EQ(drawn(1), drawn(1));
  EXPECT_NE(drawn(1), drawn(2));
}

TEST(Sampler, TakesTheFirstOfEqualBestTokensWhenGreedy) {
  Sampler sampler(drawing(0.0));

  EXPECT_EQ(sampler.choose(std::vector<float>{1, 4, 4, 2}), 1);
  EXPECT_THAT(sampler.candidates(std::vector<float>{1, 4, 4, 2}), ElementsAre(Candidate{1, 1.0F}));
}

TEST(Sampler, WeakensPositiveAndNegativeLogitsOfSeenTokens) {
  GenerateSettings settings = drawing(0.0);
  settings.repetition_penalty = 2.0;
  Sampler sampler(settings);
  sampler.see(0);

  EXPECT_EQ(sampler.choose(std::vector<float>{3, 2}), 1);
  EXPECT_EQ(sampler.choose(std::vector<float>{-1, -1.5}), 1);
}

TEST(Sampler, DoesNotOverflowAtATinyTemperature) {
  Sampler sampler(drawing(1e-300));

  EXPECT_EQ(sampler.choose(std::vector<float>{100, 99, -100}), 0);
}

TEST(Sampler, RefusesLogitsThatAreNotNumbers) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  for (const double temperature : {0.0, 1.0}) {
    Sampler sampler(drawing(temperature));
    EXPECT_THROW(sampler.choose(std::vector<float>{1, kNan, 2}), Error);
    EXPECT_THROW(sampler.choose(std::vector<float>{kNan, 1, 2}), Error);
    EXPECT_THROW(sampler.choose(std::vector<float>{1, kInf}), Error);
    EXPECT_THROW(sampler.choose(std::vector<float>{-kInf, -kInf}), Error);
    EXPECT_THROW(sampler.choose({}), Error);
    EXPECT_EQ(sampler.choose(std::vector<float>{-kInf, 1}), 1) << "a forbidden token is no damage";
  }
}

TEST(Sampler, RefusesSettingsOutOfRange) { EXPECT_THROW(Sampler(drawing(-1)), Error); }

TEST(DescribeChoice, GivesTheModelsOwnProbabilities) {
  const std::vector<float> logits = {std::log(0.1F), std::log(0.4F), std::log(0.2F), std::log(0.3F)};

  const Choice choice = describe_choice(logits, 2, 3);

  EXPECT_EQ(choice.id, 2);
  EXPECT_NEAR(choice.probability, 0.2F, 1e-6);
  ASSERT_EQ(choice.alternatives.size(), 3U);
  const std::array<std::pair<std::int32_t, float>, 3> expected = {{{1, 0.4F}, {3, 0.3F}, {2, 0.2F}}};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(choice.alternatives[i].id, expected[i].first);
    EXPECT_NEAR(choice.alternatives[i].probability, expected[i].second, 1e-6);
  }
}

TEST(DescribeChoice, FindsTheSameBestTokensAsAFullSort) {
  const std::vector<float> logits = random_logits(5000, 21);
  std::vector<std::int32_t> order(logits.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](std::int32_t i) { return logits[static_cast<std::size_t>(i)]; });

  const Choice choice = describe_choice(logits, 0, 8);

  ASSERT_EQ(choice.alternatives.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(choice.alternatives[i].id, order[i]);
}

TEST(DescribeChoice, RefusesATokenWithoutALogit) {
  EXPECT_THROW(describe_choice(std::vector<float>{1, 2}, 2, 1), Error);
  EXPECT_THROW(describe_choice(std::vector<float>{1, 2}, -1, 1), Error);
}

}  // namespace
}  // namespace lathe
