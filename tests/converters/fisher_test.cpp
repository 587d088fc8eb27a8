#include "converters/fisher.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "model/data/error.h"
#include "model/nn/forward.h"
#include "tests/converters/random_model.h"

namespace lathe {
namespace {

using test::random_ids;
using test::random_model;
using test::small_config;

constexpr std::int64_t kTokens = 6;

ModelConfig one_group_config() {
  ModelConfig config = small_config(2);
  config.num_key_value_heads = 2;
  config.tie_word_embeddings = true;
  return config;
}

/// Log probabilities [T,V] with `change` added to the keys (first half) and values of one token of layer 1.
at::Tensor changed(const Model& model, const at::Tensor& ids_1T, std::int64_t token, const at::Tensor& change_M) {
  const std::int64_t width = change_M.size(0) / 2;
  const Probe probe([](std::string_view name,
                       std::int64_t layer) { return layer == 1 && (name == tap::kKey || name == tap::kValue); },
                    [&](std::string_view name, std::int64_t, const at::Tensor& value) {
                      value[0][token].add_(change_M.narrow(0, name == tap::kKey ? 0 : width, width));
                    });
  return at::log_softmax(forward(model, ids_1T, {.probe = &probe})[0].to(at::kDouble), -1);
}

// KL(p, p moved by e) = e^T F e / 2 + ..., summed over the tokens whose key and value e moves.
TEST(FisherMoments, AreTheCurvatureOfWhatTheModelSays) {
  const Model model = random_model(one_group_config());
  const at::Tensor ids_1T = random_ids(model.config, 1, kTokens);
  const auto moments = fisher_moments(
      {.model = model, .ids_BT = ids_1T.expand({3000, kTokens}), .layers = {1}, .seed = 1, .tick = [](std::int64_t) {
       }});
  ASSERT_EQ(moments.size(), 1U);
  const at::Tensor fisher_MM = moments.at(1);
  ASSERT_EQ(fisher_MM.sizes(), (std::vector<std::int64_t>{64, 64}));

  const at::NoGradGuard no_grad;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(5);
  const at::Tensor before_TV = changed(model, ids_1T, 0, at::zeros({64}));
  for (int direction = 0; direction < 4; ++direction) {
    const at::Tensor change_M = 3e-3 * at::randn({64}, generator, at::kFloat);
    double kl = 0.0;
    for (std::int64_t token = 0; token < kTokens; ++token) {
      const at::Tensor after_TV = changed(model, ids_1T, token, change_M);
      kl += (before_TV.exp() * (before_TV - after_TV)).sum().item<double>();
    }
    const at::Tensor e_M = change_M.to(at::kDouble);
    const double predicted = 0.5 * kTokens * e_M.dot(fisher_MM.mv(e_M)).item<double>();
    EXPECT_NEAR(predicted, kl, 0.1 * kl) << direction;
  }
}

TEST(FisherMoments, OfTheSameSeedAreTheSameAndOnlyOfTheLayersAskedFor) {
  const Model model = random_model(small_config(3));
  const FisherTask task{.model = model,
                        .ids_BT = random_ids(model.config, 2, kTokens),
                        .layers = {0, 2},
                        .seed = 4,
                        .tick = [](std::int64_t) {}};
  const auto first = fisher_moments(task), second = fisher_moments(task);
  ASSERT_EQ(first.size(), 2U);
  for (const std::int64_t layer : {0, 2}) {
    EXPECT_TRUE(first.at(layer).equal(second.at(layer)));
    EXPECT_GT(first.at(layer).diagonal().min().item<double>(), 0.0);
  }
}

TEST(FisherMoments, StopWhenTheTickThrows) {
  const Model model = random_model(small_config(2));
  EXPECT_THROW(fisher_moments({.model = model,
                               .ids_BT = random_ids(model.config, 2, kTokens),
                               .layers = {0},
                               .seed = 0,
                               .tick =
                                   [](std::int64_t passes) {
                                     if (passes > 0) throw Cancelled();
                                   }}),
               Cancelled);
}

}  // namespace
}  // namespace lathe
