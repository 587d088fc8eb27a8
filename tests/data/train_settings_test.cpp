#include "model/data/train_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "model/data/error.h"

namespace lathe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// What reading `json` says; empty if it can be read.
std::string read_error(const nlohmann::json& json) {
  try {
    train_settings_from_json(json);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(TrainSettings, ComeBackFromJsonAsTheyWere) {
  TrainSettings settings;
  settings.text = "book.txt";
  settings.trainable = Trainable::Routers;
  settings.precision = TrainPrecision::Bf16;
  settings.steps = 17;
  settings.lr = 1.5e-4;
  settings.balance_weight = 0.02;
  settings.seed = std::numeric_limits<std::uint64_t>::max();
  settings.run_folder = "runs/a";
  EXPECT_EQ(train_settings_from_json(nlohmann::json::parse(train_settings_to_json(settings).dump())), settings);
  EXPECT_EQ(train_settings_from_json(nlohmann::json::object()), TrainSettings());
}

TEST(TrainSettings, WrittenAsJsonNameEveryValue) {
  TrainSettings settings;
  EXPECT_THAT(train_problems(settings), IsEmpty());
  const nlohmann::json json = train_settings_to_json(settings);
  EXPECT_EQ(json.at("trainable"), "converted");
  EXPECT_EQ(json.at("precision"), "auto");
  EXPECT_EQ(json.size(), 22U);
}

TEST(TrainSettings, RefuseWrongTypesWordsAndUnknownKeys) {
  EXPECT_THAT(read_error({{"trainable", "head"}}), HasSubstr("expected one of converted, routers, experts"));
  EXPECT_THAT(read_error({{"precision", "fp8"}}), HasSubstr("expected one of auto, f32, bf16"));
  EXPECT_THAT(read_error({{"steps", "many"}}), HasSubstr("steps"));
  EXPECT_THAT(read_error({{"seed", -1}}), HasSubstr("expected a whole number of 0 or more"));
  EXPECT_THAT(read_error({{"learning_rate", 1e-3}}), HasSubstr("learning_rate"));
}

TEST(TrainSettings, SayEachValueThatIsOutOfRange) {
  TrainSettings settings;
  settings.steps = 0;
  settings.lr = std::numeric_limits<double>::quiet_NaN();
  settings.beta2 = 1.0;
  EXPECT_THAT(train_problems(settings), ElementsAre(HasSubstr("steps is 0"), HasSubstr("lr is nan"),
                                                    HasSubstr("beta2 is 1; expected 0 or more, below 1")));
}

}  // namespace
}  // namespace lathe
