#include "converters/recipes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "converters/registry.h"
#include "model/data/error.h"
#include "model/data/sizes.h"
#include "tests/support/places.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::filesystem::path kRecipes = std::filesystem::path(LATHE_SOURCE_DIR) / "assets" / "recipes";

ModelConfig smollm2() {
  ModelConfig config;
  config.vocab_size = 49152;
  config.hidden_size = 576;
  config.intermediate_size = 1536;
  config.num_attention_heads = 9;
  config.num_key_value_heads = 3;
  config.head_dim = 64;
  config.max_position_embeddings = 8192;
  config.tie_word_embeddings = true;
  config.layers.resize(30);
  return config;
}

TEST(Recipes, ShipWithNameDescriptionAndAPlanThatChangesSomething) {
  const std::vector<Recipe> recipes = list_recipes(kRecipes);

  EXPECT_GE(recipes.size(), 4);
  for (const Recipe& recipe : recipes) {
    SCOPED_TRACE(recipe.name);
    EXPECT_EQ(recipe.plan.name, recipe.name);
    EXPECT_FALSE(recipe.plan.description.empty());
    EXPECT_FALSE(recipe.plan.empty());
  }
}

TEST(Recipes, Erax8bIsTheDefaultTourOfSmolLm2) {
  const ConversionPlan plan = load_plan("erax-8b", kRecipes);

  EXPECT_THAT(plan_problems(plan, smollm2()), IsEmpty());
  EXPECT_EQ(plan.num_mla(), 9);
  EXPECT_EQ(plan.num_moe(), 4);
  for (std::int64_t layer = 8; layer <= 24; layer += 2) EXPECT_TRUE(plan.layers.at(layer).attention) << layer;
  for (const std::int64_t layer : {11, 15, 19, 23}) {
    const MoePlan& moe = *plan.layers.at(layer).feed_forward;
    EXPECT_EQ(moe.num_experts, 8);
    EXPECT_EQ(moe.num_experts_per_tok, 2);
    EXPECT_GT(moe.noise, 0.0);
  }
}

TEST(Recipes, OfOurOwnMethodsSayWhatTheyKeep) {
  for (const std::int64_t cached : {256, 192, 128}) {
    const ConversionPlan plan = load_plan(text("mla-", cached), kRecipes);
    EXPECT_THAT(plan_problems(plan, smollm2()), IsEmpty());
    EXPECT_EQ(plan.num_mla(), 30);
    EXPECT_EQ(sizes_of(planned_config(plan, smollm2())).kv_values_per_token, 30 * cached);
  }
  for (const std::int64_t percent : {75, 50, 25}) {
    const ConversionPlan plan = load_plan(text("moe-", percent), kRecipes);
    EXPECT_THAT(plan_problems(plan, smollm2()), IsEmpty());
    EXPECT_EQ(plan.num_moe(), 30);
    const SplitSizes sizes = split_sizes(*plan.layers.at(0).feed_forward, 1536);
    EXPECT_NEAR(static_cast<double>(sizes.shared + sizes.expert * sizes.experts_per_token),
                15.36 * static_cast<double>(percent), 8);
  }
}

TEST(Recipes, AreFoundByNameOrPath) {
  EXPECT_EQ(load_plan("erax-8b", kRecipes), load_plan((kRecipes / "erax-8b.json").string(), kRecipes));
}

TEST(Recipes, UnknownNamesAreAnsweredWithTheKnown) {
  try {
    load_plan("erax", kRecipes);
    FAIL() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("\"erax\""), HasSubstr("erax-8b")));
  }
}

TEST(Recipes, ABadPlanFileIsNamed) {
  const TemporaryFolder folder;
  const std::string path = folder / "bad.json";
  std::ofstream(path) << R"({"layers": [{"layers": [1], "attention": {"rank": 3}}]})";

  try {
    load_plan(path, kRecipes);
    ADD_FAILURE() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("\"rank\""), HasSubstr(path)));
  }
}

TEST(Recipes, ANameThatCanBeNoPathIsAnsweredWithTheKnown) {
  for (const std::string& name : {std::string(5000, 'x'), kRecipes.string() + "/erax-8b.json/x"}) {
    try {
      load_plan(name, kRecipes);
      ADD_FAILURE() << "nothing was refused";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("neither a plan file nor a recipe"));
    }
  }
}

TEST(Registry, KnowsEveryMethodThatAPlanMayName) {
  for (const std::string_view name : kAttentionMethods) {
    EXPECT_THAT(methods(), Contains(Field(&MethodInfo::name, name)));
    EXPECT_NE(attention_method(name), nullptr);
  }
  for (const std::string_view name : kFeedForwardMethods) {
    EXPECT_THAT(methods(), Contains(Field(&MethodInfo::name, name)));
    EXPECT_NE(feed_forward_method(name), nullptr);
  }
  EXPECT_EQ(methods().size(), kAttentionMethods.size() + kFeedForwardMethods.size());
}

TEST(Registry, NamesTheKnobsAndDefaultsThatPlansHave) {
  for (const MethodInfo& method : methods()) {
    SCOPED_TRACE(method.name);
    const char* part = method.part == LayerPart::Attention ? "attention" : "feed_forward";
    const nlohmann::json minimal = {{"layers", {{{"layers", {0}}, {part, {{"method", method.name}}}}}}};
    const nlohmann::json settings = plan_to_json(plan_from_json(minimal))["layers"][0][part];
    EXPECT_EQ(settings.size(), method.knobs.size() + 1);
    for (const Knob& knob : method.knobs) {
      SCOPED_TRACE(knob.key);
      const nlohmann::json value = settings.at(std::string(knob.key));
      if (value.is_string()) {
        EXPECT_EQ(value.get<std::string>(), knob.fallback);
      } else {
        EXPECT_EQ(value, nlohmann::json::parse(knob.fallback));
      }
    }
  }
}

TEST(Registry, AnswersUnknownNamesWithTheKnown) {
  try {
    feed_forward_method("split");
    FAIL() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("copy, drop-upcycling"));
  }
}

}  // namespace
}  // namespace lathe
