#include "model/infer/evaluate.h"

#include <ATen/ops/argmax.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stop_token>

#include "model/infer/token_ids.h"
#include "model/nn/forward.h"
#include "tests/infer/tiny_models.h"

namespace lathe {
namespace {

using test::random_ids;
using test::tiny_mixed_model;
using testing::HasSubstr;

/// ln p of every token at every position of one window, in double, from a plain forward call.
at::Tensor log_probabilities(const Model& model, std::span<const std::int32_t> window) {
  const c10::InferenceMode no_gradients;
  return at::log_softmax(forward(model, ids_tensor(model, window))[0].to(at::kDouble), -1);
}

/// A model with a vocabulary so large that its logits are made in several pieces.
Model wide_model(std::uint64_t seed) {
  Model model = test::tiny_model({{"gqa", "dense"}}, seed);
  model.config.vocab_size = 30000;
  model.embed_VD = at::randn({30000, 32});
  model.lm_head_VD = at::randn({30000, 32});
  return model;
}

void expect_plain_loss(const Model& model, std::span<const std::int32_t> ids, EvaluateOptions options) {
  std::vector<TokenLoss> told;
  options.on_token = [&](const TokenLoss& loss) { told.push_back(loss); };

  const Evaluated evaluated = evaluate(model, ids, options);

  double sum = 0;
  std::size_t count = 0;
  for (std::int64_t w = 0; w < options.windows; ++w) {
    const auto window =
        ids.subspan(static_cast<std::size_t>(w * options.window), static_cast<std::size_t>(options.window));
    const at::Tensor log_p_TV = log_probabilities(model, window);
    for (std::int64_t position = 1; position < options.window; ++position, ++count) {
      const std::int32_t id = window[static_cast<std::size_t>(position)];
      const double nll = -log_p_TV[position - 1][id].item<double>();
      ASSERT_LT(count, told.size());
      ASSERT_EQ(told[count].window, w);
      ASSERT_EQ(told[count].position, position);
      ASSERT_EQ(told[count].id, id);
      ASSERT_NEAR(told[count].nll, nll, 1e-4);
      sum += nll;
    }
  }
  EXPECT_EQ(told.size(), count);
  EXPECT_EQ(evaluated.tokens, static_cast<std::int64_t>(count));
  EXPECT_NEAR(evaluated.nll, sum / static_cast<double>(count), 1e-5);
  EXPECT_DOUBLE_EQ(evaluated.ppl, std::exp(evaluated.nll));
}

TEST(Evaluate, EqualsThePlainLossOfEachWindowAsItsOwnContext) {
  expect_plain_loss(tiny_mixed_model(), random_ids(700), {.window = 100, .windows = 5});
}

TEST(Evaluate, IsTheSameWhenTheLogitsComeInPieces) {
  expect_plain_loss(wide_model(1), random_ids(1100), {.window = 512, .windows = 2});
}

TEST(Evaluate, LeavesOutWhatDoesNotFillAWindow) {
  const auto ids = random_ids(299);

  EXPECT_EQ(evaluate(tiny_mixed_model(), ids, {.window = 100, .windows = 64}).tokens, 2 * 99);
  EXPECT_EQ(evaluate(tiny_mixed_model(), ids, {.window = 100, .windows = 0}).tokens, 2 * 99);
  EXPECT_FALSE(evaluate(tiny_mixed_model(), ids, {.window = 100, .windows = 1}).compared);
}

TEST(Evaluate, FindsNoDifferenceBetweenAModelAndItself) {
  const Model model = tiny_mixed_model();

  const Evaluated evaluated = evaluate(model, random_ids(512), {.window = 128, .windows = 4, .against = &model});

  EXPECT_TRUE(evaluated.compared);
  EXPECT_EQ(evaluated.kl, 0.0);
  EXPECT_EQ(evaluated.top1_agreement, 1.0);
}

TEST(Evaluate, GivesTheDivergenceFromTheOtherModelAndTheirAgreement) {
  const Model model = wide_model(1), other = wide_model(2);
  const auto ids = random_ids(600);

  const Evaluated evaluated = evaluate(model, ids, {.window = 300, .windows = 2, .against = &other});

  double kl = 0, agreed = 0;
  for (const std::size_t begin : {0U, 300U}) {
    const auto window = std::span(ids).subspan(begin, 300);
    const at::Tensor log_p = log_probabilities(model, window).narrow(0, 0, 299);
    const at::Tensor log_q = log_probabilities(other, window).narrow(0, 0, 299);
    kl += log_q.exp().mul(log_q.sub(log_p)).sum().item<double>();
    agreed += at::argmax(log_p, 1).eq(at::argmax(log_q, 1)).sum().item<double>();
  }
  EXPECT_NEAR(evaluated.kl, kl / 598, 1e-4);
  EXPECT_GT(evaluated.kl, 0.1);
  EXPECT_DOUBLE_EQ(evaluated.top1_agreement, agreed / 598);
}

TEST(Evaluate, SaysWhyATextOrAModelDoesNotFit) {
  const Model model = tiny_mixed_model();
  const auto ids = random_ids(50);
  const auto failing = [&](std::span<const std::int32_t> text, EvaluateOptions options) {
    return [&model, text, options] { evaluate(model, text, options); };
  };
  const std::vector<std::int32_t> foreign = {1, 2, 300};
  const Model wide = wide_model(1);

  EXPECT_THAT(failing(ids, {.window = 51}), testing::ThrowsMessage<Error>(HasSubstr("50 tokens")));
  EXPECT_THAT(failing(ids, {.window = 1}), testing::ThrowsMessage<Error>(HasSubstr("at least 2")));
  EXPECT_THAT(failing(ids, {.window = 4096}), testing::ThrowsMessage<Error>(HasSubstr("at most 2048")));
  EXPECT_THAT(failing(foreign, {.window = 3}), testing::ThrowsMessage<Error>(HasSubstr("token id 300")));
  EXPECT_THAT(failing(ids, {.window = 5, .against = &wide}), testing::ThrowsMessage<Error>(HasSubstr("vocabulary")));
}

TEST(Evaluate, RefusesALossThatIsNotANumber) {
  Model model = tiny_mixed_model();
  model.norm_D = at::full_like(model.norm_D, std::nan(""));

  EXPECT_THAT([&] { evaluate(model, random_ids(20), {.window = 10}); },
              testing::ThrowsMessage<Error>(HasSubstr("not a finite number")));
}

TEST(Evaluate, ReportsItsProgressAndIsCancelledBetweenWindows) {
  std::stop_source stop;
  std::vector<std::int64_t> done;
  const Job job(stop.get_token(), [&](const Progress& progress) {
    done.push_back(progress.done);
    if (done.size() == 2) stop.request_stop();
  });

  EXPECT_THROW(evaluate(tiny_mixed_model(), random_ids(4096), {.window = 1024, .windows = 4}, job), Cancelled);
  EXPECT_THAT(done, testing::ElementsAre(0, 1));
}

}  // namespace
}  // namespace lathe
