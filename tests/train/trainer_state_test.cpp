#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "model/data/error.h"
#include "model/nn/names.h"
#include "model/train/trainer.h"
#include "tests/train/small_model.h"

namespace lathe {
namespace {

class TrainerState : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Trainer trainer(const TrainSettings& settings, const ModelPtr& model = small_model(RouterKind::Sigmoid)) {
    return Trainer(
        {.model = model, .teacher = nullptr, .fit_ids_N = small_text().slice(0, 0, 600), .settings = settings});
  }

  /// What went wrong on restoring; empty if nothing did.
  std::string restore_error(Trainer& run) {
    try {
      run.restore_state(file_);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("lathe-train-" + std::to_string(getpid()));
  const std::filesystem::path file_ = folder_ / "state.safetensors";
};

TEST_F(TrainerState, ARestoredRunContinuesBitForBit) {
  for (const TrainPrecision precision : {TrainPrecision::F32, TrainPrecision::Bf16}) {
    for (const int stop : {1, 4, 6}) {
      SCOPED_TRACE(testing::Message() << train_precision_name(precision) << " stopped after " << stop);
      TrainSettings settings = small_settings();
      settings.precision = precision;
      settings.steps = 7;
      settings.accumulate = 2;
      Trainer whole = trainer(settings);
      std::vector<float> losses;
      while (!whole.is_done()) losses.push_back(whole.step().loss);

      Trainer first = trainer(settings);
      for (int i = 0; i < stop; ++i) first.step();
      first.save_state(file_);
      Trainer second = trainer(settings);
      EXPECT_THAT(second.restore_state(file_), testing::IsEmpty());
      EXPECT_EQ(second.steps_done(), stop);
      while (!second.is_done()) {
        const TrainStep step = second.step();
        EXPECT_EQ(step.loss, losses[static_cast<std::size_t>(step.step - 1)]);
      }
      EXPECT_EQ(model_sha256(second.result()), model_sha256(whole.result()));
    }
  }
}

TEST_F(TrainerState, SaysWhatDiffersFromTheRunThatWasSaved) {
  Trainer saved = trainer(small_settings());
  saved.step();
  saved.save_state(file_);
  TrainSettings settings = small_settings();
  settings.lr = 1e-4;
  Trainer other = Trainer({small_model(RouterKind::Sigmoid), nullptr, small_text().slice(0, 1, 600), settings});
  EXPECT_THAT(other.restore_state(file_),
              testing::ElementsAre(testing::HasSubstr("text"), testing::HasSubstr("lr was 0.003, now 0.0001")));
}

TEST_F(TrainerState, RefusesTheStateOfAnotherModelOrOfOtherWeightsAndStaysAsItWas) {
  Trainer saved = trainer(small_settings());
  saved.step();
  saved.save_state(file_);
  Trainer other_model = trainer(small_settings(), small_model());
  EXPECT_THAT(restore_error(other_model), testing::HasSubstr("another model"));

  TrainSettings settings = small_settings();
  settings.trainable = Trainable::All;
  Trainer more = trainer(settings);
  const std::string before = model_sha256(more.result());
  EXPECT_THAT(restore_error(more), testing::HasSubstr("did not train 'model.layers.0.input_layernorm.weight'"));
  EXPECT_EQ(more.steps_done(), 0);
  EXPECT_EQ(model_sha256(more.result()), before);
  settings.trainable = Trainable::Routers;
  Trainer fewer = trainer(settings);
  EXPECT_THAT(restore_error(fewer), testing::HasSubstr("trained more weights"));
}

TEST_F(TrainerState, RefusesABrokenFile) {
  Trainer run = trainer(small_settings());
  run.save_state(file_);
  std::filesystem::resize_file(file_, std::filesystem::file_size(file_) / 2);
  EXPECT_NE(restore_error(run), "");
  std::filesystem::remove(file_);
  EXPECT_NE(restore_error(run), "");
}

}  // namespace
}  // namespace lathe
