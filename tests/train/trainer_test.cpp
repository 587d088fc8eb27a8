#include "model/train/trainer.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stop_token>

#include "model/data/error.h"
#include "model/nn/names.h"
#include "tests/train/small_model.h"

namespace lathe {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::StartsWith;

Trainer trainer_for(const TrainSettings& settings, const ModelPtr& model = small_model()) {
  return Trainer({.model = model, .teacher = nullptr, .fit_ids_N = small_text(), .settings = settings});
}

std::vector<std::string> changes_after_training(Trainable trainable) {
  const ModelPtr model = small_model();
  TrainSettings settings = small_settings();
  settings.trainable = trainable;
  Trainer trainer = trainer_for(settings, model);
  for (int i = 0; i < 3; ++i) trainer.step();
  return changed_weights(*model, trainer.result());
}

TEST(Trainer, LearnsAndSaysSo) {
  TrainSettings settings = small_settings();
  settings.trainable = Trainable::All;
  settings.steps = 60;
  settings.lr = 1e-2;
  Trainer trainer = trainer_for(settings);
  const TrainStep first = trainer.step();
  TrainStep last;
  while (!trainer.is_done()) last = trainer.step();
  EXPECT_NEAR(first.next_token, std::log(97.0F), 0.1F);
  EXPECT_LT(last.next_token, 0.6F * first.next_token);
  EXPECT_EQ(last.step, 60);
  EXPECT_GT(last.tokens_per_second, 0.0);
  EXPECT_FLOAT_EQ(last.loss, last.next_token + 0.01F * last.balance);
}

TEST(Trainer, RefusesATeacherOfAnotherVocabulary) {
  Model teacher = *small_model();
  teacher.config.vocab_size = 96;
  TrainSettings settings = small_settings();
  settings.kl_weight = 1.0;
  const TrainInput input{small_model(), std::make_shared<const Model>(teacher), small_text(), settings};
  EXPECT_THROW(Trainer{input}, Error);
}

TEST(Trainer, ChangesTheConvertedPartsOnly) {
  EXPECT_THAT(changes_after_training(Trainable::Converted),
              testing::UnorderedElementsAre(
                  "model.layers.1.self_attn.q_proj.weight", "model.layers.1.self_attn.kv_a_proj_with_mqa.weight",
                  "model.layers.1.self_attn.kv_b_proj.weight", "model.layers.1.self_attn.o_proj.weight",
                  "model.layers.2.mlp.gate.weight", "model.layers.2.mlp.experts.gate_up_proj",
                  "model.layers.2.mlp.experts.down_proj"));
}

TEST(Trainer, ChangesTheChosenPartOfThemOnly) {
  EXPECT_THAT(changes_after_training(Trainable::Routers), testing::ElementsAre("model.layers.2.mlp.gate.weight"));
  EXPECT_THAT(changes_after_training(Trainable::Attention), Each(StartsWith("model.layers.1.self_attn.")));
  EXPECT_THAT(changes_after_training(Trainable::Experts), Each(StartsWith("model.layers.2.mlp.experts.")));
}

TEST(Trainer, FrozenTensorsAreSharedWithTheModelItWasGivenAndGetNoGradient) {
  const ModelPtr model = small_model();
  Trainer trainer = trainer_for(small_settings(), model);
  trainer.step();
  const Model result = trainer.result();
  EXPECT_EQ(result.layers[0], model->layers[0]);
  EXPECT_TRUE(result.embed_VD.is_same(model->embed_VD));
  EXPECT_TRUE(result.layers[1]->attention_norm_D.is_same(model->layers[1]->attention_norm_D));
  for (const NamedTensor& named : model_tensors(*model)) {
    EXPECT_FALSE(named.tensor.requires_grad()) << named.name;
    EXPECT_FALSE(named.tensor.grad().defined()) << named.name;
  }
  for (const NamedTensor& named : model_tensors(result)) EXPECT_FALSE(named.tensor.requires_grad()) << named.name;
}

TEST(Trainer, ResultStaysAsItWasWhenTheRunGoesOn) {
  Trainer trainer = trainer_for(small_settings());
  trainer.step();
  const Model result = trainer.result();
  const std::string before = model_sha256(result);
  trainer.step();
  EXPECT_EQ(model_sha256(result), before);
  EXPECT_NE(model_sha256(trainer.result()), before);
}

TEST(Trainer, AccumulatingEqualsABiggerBatch) {
  TrainSettings settings = small_settings();
  settings.trainable = Trainable::All;
  settings.balance_weight = 0.0;  // a mean over the tokens of a micro-batch is not linear in them
  settings.eps = 1e-3;            // keeps Adam from blowing up the rounding of gradients near zero
  settings.batch = 4;
  Trainer at_once = trainer_for(settings);
  settings.batch = 2;
  settings.accumulate = 2;
  Trainer in_parts = trainer_for(settings);
  for (int i = 0; i < 4; ++i) {
    const TrainStep whole = at_once.step(), parts = in_parts.step();
    EXPECT_NEAR(whole.loss, parts.loss, 1e-5F);
    EXPECT_NEAR(whole.grad_norm, parts.grad_norm, 1e-4F);
    EXPECT_EQ(whole.routers[0].load, parts.routers[0].load);
  }
  const Model a = at_once.result(), b = in_parts.result();
  for (const NamedTensor& named : model_tensors(a)) {
    EXPECT_TRUE(at::allclose(named.tensor, weight(b, named.name), 1e-4, 1e-5)) << named.name;
  }
}

TEST(Trainer, RunsInBf16WithF32Weights) {
  const ModelPtr model = small_model();
  TrainSettings settings = small_settings();
  const float exact = trainer_for(settings, model).step().next_token;
  settings.precision = TrainPrecision::Bf16;
  settings.lr = 1e-6;  // far below what a bf16 weight could move by
  settings.warmup_steps = 0;
  Trainer trainer = trainer_for(settings, model);
  EXPECT_EQ(trainer.compute_dtype(), at::kBFloat16);
  EXPECT_NEAR(trainer.step().next_token, exact, 0.02F);
  const Model result = trainer.result();
  EXPECT_EQ(result.dtype(), at::kFloat);
  EXPECT_THAT(changed_weights(*model, result), testing::SizeIs(7));
}

TEST(Trainer, ReportsTheRouterOfEachMoeLayer) {
  const TrainStep step = trainer_for(small_settings()).step();
  ASSERT_EQ(step.routers.size(), 1U);
  const RouterLoad& router = step.routers[0];
  EXPECT_EQ(router.layer, 2);
  float sum = 0.0F, largest = 0.0F;
  for (const float load : router.load) {
    sum += load;
    largest = std::max(largest, load);
  }
  EXPECT_NEAR(sum, 1.0F, 1e-6F);
  EXPECT_NEAR(router.max_violation, 4 * largest - 1, 1e-5F);
  EXPECT_GT(router.entropy, 0.0F);
  EXPECT_LE(router.entropy, std::log(4.0F) + 1e-5F);
  EXPECT_GT(step.balance, 0.9F);
}

TEST(Trainer, MovesTheBiasOfASigmoidRouterTowardsTheExpertsWithLittleWork) {
  const ModelPtr model = small_model(RouterKind::Sigmoid);
  TrainSettings settings = small_settings();
  settings.bias_update_speed = 0.01;
  Trainer trainer = trainer_for(settings, model);
  const RouterLoad router = trainer.step().routers[0];
  const at::Tensor bias_E = weight(trainer.result(), "model.layers.2.mlp.gate.e_score_correction_bias");
  for (std::size_t e = 0; e < 4; ++e) {
    const float direction = router.load[e] < 0.25F ? 1.0F : router.load[e] > 0.25F ? -1.0F : 0.0F;
    EXPECT_FLOAT_EQ(bias_E[static_cast<std::int64_t>(e)].item<float>(), 0.01F * direction);
  }
  EXPECT_EQ(weight(*model, "model.layers.2.mlp.gate.e_score_correction_bias").abs().sum().item<float>(), 0.0F);
}

TEST(Trainer, KlToTheModelItselfStartsAtZero) {
  const ModelPtr model = small_model();
  TrainSettings settings = small_settings();
  settings.kl_weight = 1.0;
  Trainer trainer({.model = model, .teacher = model, .fit_ids_N = small_text(), .settings = settings});
  EXPECT_NEAR(trainer.step().kl, 0.0F, 1e-6F);
  for (int i = 0; i < 5; ++i) trainer.step();
  EXPECT_GT(trainer.step().kl, 1e-6F);
}

TEST(Trainer, LayersSharedWithTheTeacherGiveTheSameLossAsCopiesOfThem) {
  const ModelPtr model = small_model();
  const ModelPtr dense = small_dense_model();
  Model sharing = *dense;
  sharing.layers[0] = model->layers[0];
  sharing.embed_VD = sharing.lm_head_VD = model->embed_VD;
  Model copies = sharing;
  copies.layers[0] = std::make_shared<const Layer>(*model->layers[0]);
  TrainSettings settings = small_settings();
  settings.kl_weight = 1.0;
  const auto first_step = [&](const Model& teacher) {
    return Trainer({model, std::make_shared<const Model>(teacher), small_text(), settings}).step();
  };
  const TrainStep shared = first_step(sharing), copied = first_step(copies);
  EXPECT_GT(shared.kl, 0.0F);
  EXPECT_EQ(shared.kl, copied.kl);
  EXPECT_EQ(shared.grad_norm, copied.grad_norm);
}

TEST(Trainer, ACancelledStepLeavesTheRunAsItWas) {
  Trainer plain = trainer_for(small_settings()), cancelled = trainer_for(small_settings());
  plain.step();
  cancelled.step();
  for (const std::int64_t stop_at : {0, 1, 2}) {  // the last layer's output: cancelled in the backward pass
    SCOPED_TRACE(stop_at);
    std::stop_source stop;
    const Probe probe(
        [&](std::string_view name, std::int64_t layer) { return name == tap::kBlockOut && layer == stop_at; },
        [&](std::string_view, std::int64_t, const at::Tensor&) { stop.request_stop(); });
    EXPECT_THROW(cancelled.step(Job(stop.get_token(), nullptr), &probe), Cancelled);
    EXPECT_EQ(cancelled.steps_done(), 1);
    EXPECT_EQ(model_sha256(cancelled.result()), model_sha256(plain.result()));
  }
  EXPECT_EQ(plain.step().loss, cancelled.step().loss);
  EXPECT_EQ(model_sha256(cancelled.result()), model_sha256(plain.result()));
}

ModelPtr broken_model() {
  Model model = *small_model();
  model.norm_D = model.norm_D.clone().fill_(std::numeric_limits<float>::infinity());
  return std::make_shared<const Model>(model);
}

TEST(Trainer, SkipsStepsThatAreNotFiniteAndStopsAfterFive) {
  const ModelPtr model = broken_model();
  Trainer trainer = trainer_for(small_settings(), model);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(trainer.step().skipped);
  EXPECT_EQ(trainer.skipped_steps(), 4);
  EXPECT_THROW(trainer.step(), Error);
  EXPECT_EQ(model_sha256(trainer.result()), model_sha256(*model));
}

TEST(Trainer, SaysWhatKeepsItFromTraining) {
  const auto message = [](const TrainSettings& settings, const ModelPtr& model) -> std::string {
    try {
      trainer_for(settings, model);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  };
  EXPECT_THAT(message(small_settings(), small_dense_model()), HasSubstr("no converted layers"));
  TrainSettings settings = small_settings();
  settings.kl_weight = 1.0;
  EXPECT_THAT(message(settings, small_model()), HasSubstr("no original model"));
  settings = small_settings();
  settings.seq_len = 129;
  EXPECT_THAT(message(settings, small_model()), HasSubstr("context is 128"));
  settings.lr = -1.0;
  EXPECT_THAT(message(settings, small_model()), HasSubstr("lr is -1"));
}

}  // namespace
}  // namespace lathe
