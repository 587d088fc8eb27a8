#include "model/data/generate_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/data/error.h"

namespace lathe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(const std::string& json) {
  try {
    generate_settings_from_json(nlohmann::json::parse(json));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(GenerateSettings, SurviveARoundTripThroughJson) {
  const GenerateSettings settings{.prompt = "Once “upon”\n",
                                  .chat = true,
                                  .max_new_tokens = 7,
                                  .temperature = 0.7,
                                  .top_k = 40,
                                  .top_p = 0.95,
                                  .min_p = 0.05,
                                  .repetition_penalty = 1.1,
                                  .seed = 18446744073709551615ULL,
                                  .stop = {"\n\n", "END"}};

  const auto text = generate_settings_to_json(settings).dump();

  EXPECT_EQ(generate_settings_from_json(nlohmann::json::parse(text)), settings);
}

TEST(GenerateSettings, KeepTheDefaultOfEveryAbsentKey) {
  EXPECT_EQ(generate_settings_from_json(nlohmann::json::object()), GenerateSettings{});
  EXPECT_TRUE(generate_problems({}).empty());
}

TEST(GenerateSettings, NameAnUnknownKeyAndTheKnownOnes) {
  EXPECT_THAT(error_of(R"({"temprature": 1})"),
              testing::AllOf(HasSubstr("'temprature'"), HasSubstr("temperature, top_k")));
}

TEST(GenerateSettings, RefuseAValueOfTheWrongType) {
  EXPECT_THAT(error_of(R"({"top_p": "high"})"), testing::AllOf(HasSubstr("'top_p'"), HasSubstr("\"high\"")));
  EXPECT_THAT(error_of(R"({"top_k": 1.9})"), HasSubstr("expected a whole number"));
  EXPECT_THAT(error_of(R"({"seed": -1})"), HasSubstr("'seed'"));
  EXPECT_THAT(error_of(R"([1])"), HasSubstr("expected an object"));
}

TEST(GenerateSettings, ListEveryValueOutOfRange) {
  const GenerateSettings settings{.prompt = "",
                                  .max_new_tokens = -1,
                                  .temperature = -0.1,
                                  .top_k = -1,
                                  .top_p = 0.0,
                                  .min_p = 1.5,
                                  .repetition_penalty = 0.0,
                                  .stop = {""}};

  EXPECT_THAT(generate_problems(settings),
              ElementsAre(HasSubstr("max_new_tokens"), HasSubstr("temperature"), HasSubstr("top_k"), HasSubstr("top_p"),
                          HasSubstr("min_p"), HasSubstr("repetition_penalty"), HasSubstr("stop string")));
}

}  // namespace
}  // namespace lathe
