#include "tests/support/gpu.h"

#include <filesystem>

#include "model/train/trainer.h"
#include "tests/support/temporary_folder.h"
#include "tests/train/small_model.h"

namespace lathe {
namespace {

class TrainingOnAGpu : public GpuTest {
 protected:
  Trainer trainer(const TrainSettings& settings, const ModelPtr& model) const {
    return Trainer({.model = std::make_shared<const Model>(moved(*model, gpu_)),
                    .teacher = settings.kl_weight > 0 ? std::make_shared<const Model>(moved(*model, gpu_)) : nullptr,
                    .fit_ids_N = small_text(),
                    .settings = settings});
  }
};

TEST_F(TrainingOnAGpu, FollowsTheProcessorsLosses) {
  for (const RouterKind router : {RouterKind::Softmax, RouterKind::Sigmoid}) {
    TrainSettings settings = small_settings();
    settings.trainable = Trainable::All;
    settings.kl_weight = 0.5;
    settings.accumulate = 2;
    const ModelPtr model = small_model(router);
    Trainer here({.model = model, .teacher = model, .fit_ids_N = small_text(), .settings = settings});
    Trainer there = trainer(settings, model);
    for (int i = 0; i < 10; ++i) {
      const TrainStep ours = there.step(), theirs = here.step();
      SCOPED_TRACE(ours.step);
      EXPECT_NEAR(ours.loss, theirs.loss, 2e-3);
      EXPECT_NEAR(ours.next_token, theirs.next_token, 2e-3);
      EXPECT_NEAR(ours.balance, theirs.balance, 2e-3);
      EXPECT_NEAR(ours.grad_norm, theirs.grad_norm, 1e-2);
    }
    EXPECT_TRUE(there.result().layers[1]->attention_norm_D.is_cuda());
  }
}

TEST_F(TrainingOnAGpu, LearnsInBf16WithF32Weights) {
  TrainSettings settings = small_settings();
  settings.trainable = Trainable::All;
  settings.precision = TrainPrecision::Bf16;
  settings.steps = 60;
  settings.lr = 1e-2;
  Trainer run = trainer(settings, small_model());
  const TrainStep first = run.step();
  TrainStep last;
  while (!run.is_done()) last = run.step();
  EXPECT_LT(last.next_token, 0.6F * first.next_token);
  EXPECT_EQ(run.result().dtype(), at::kFloat);
}

TEST_F(TrainingOnAGpu, ARestoredRunContinues) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "state.safetensors";
  const ModelPtr model = small_model();
  Trainer whole = trainer(small_settings(), model);
  for (int i = 0; i < 4; ++i) whole.step();
  whole.save_state(file);
  const TrainStep expected = whole.step();

  Trainer resumed = trainer(small_settings(), model);
  EXPECT_TRUE(resumed.restore_state(file).empty());
  const TrainStep next = resumed.step();

  EXPECT_EQ(next.step, 5);
  EXPECT_NEAR(next.loss, expected.loss, 1e-5);
  EXPECT_NEAR(next.grad_norm, expected.grad_norm, 1e-4);
}

}  // namespace
}  // namespace lathe
