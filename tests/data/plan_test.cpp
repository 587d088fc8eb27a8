#include "model/data/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/data/sizes.h"

namespace lathe {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

ConversionPlan plan_of(std::int64_t layer, MlaPlan mla) {
  ConversionPlan plan;
  plan.layers[layer].attention = std::move(mla);
  return plan;
}

ConversionPlan plan_of(std::int64_t layer, MoePlan moe) {
  ConversionPlan plan;
  plan.layers[layer].feed_forward = std::move(moe);
  return plan;
}

std::string message_of(const json& bad) {
  try {
    plan_from_json(bad);
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(PlanJson, ReadsWhatItWrote) {
  ConversionPlan plan;
  plan.name = "both";
  plan.description = "ä \"quoted\" name";
  plan.seed = 9'007'199'254'740'993;
  plan.calibration = {.text = "some.txt", .num_samples = 3, .seq_len = 77};
  plan.layers[2].attention = MlaPlan{.qk_rope_head_dim = 16, .kv_lora_rank = 40, .freqfold = 8, .balance_kv_ratio = .7};
  plan.layers[3].attention = MlaPlan{
      .method = "lathe-mla", .qk_rope_head_dim = 14, .kv_lora_rank = 33, .context_length = 2048, .heal_steps = 12};
  plan.layers[4].feed_forward =
      MoePlan{.method = "lathe-moe", .num_experts = 32, .active_fraction = 0.3, .shared_fraction = 0.25};
  plan.layers[2].feed_forward = MoePlan{.noise = 0.1, .router = RouterKind::Sigmoid, .norm_topk_prob = false};
  plan.layers[5].feed_forward =
      MoePlan{.method = "drop-upcycling", .drop_ratio = 0.25, .index_mode = IndexMode::Independent};

  const ConversionPlan again = plan_from_json(json::parse(plan_to_json(plan).dump()));

  EXPECT_EQ(again, plan);
}

TEST(PlanJson, WritesLayersWithEqualSettingsAsOneItem) {
  ConversionPlan plan;
  for (const std::int64_t layer : {24, 8, 16}) plan.layers[layer].attention = MlaPlan{};
  plan.layers[12].attention = MlaPlan{.kv_lora_rank = 64};
  plan.layers[16].feed_forward = MoePlan{};

  const json groups = plan_to_json(plan)["layers"];

  ASSERT_EQ(groups.size(), 3);
  EXPECT_EQ(groups[0]["layers"], json({8, 16, 24}));
  EXPECT_EQ(groups[1]["layers"], json({12}));
  EXPECT_EQ(groups[2]["layers"], json({16}));
  EXPECT_TRUE(groups[2].contains("feed_forward"));
}

TEST(PlanJson, FillsInDefaults) {
  const ConversionPlan plan = plan_from_json(json::parse(R"({"layers": [{"layers": [1], "attention": {}}]})"));

  EXPECT_EQ(plan, plan_of(1, MlaPlan{}));
}

TEST(PlanJson, RefusesUnknownKeysAndNamesTheKnown) {
  EXPECT_THAT(message_of(json::parse(R"({"layers": [], "sed": 1})")), HasSubstr("\"sed\""));
  EXPECT_THAT(message_of(json::parse(R"({"layers": [], "sed": 1})")), HasSubstr("\"seed\""));
  EXPECT_THAT(message_of(json::parse(R"({"layers": [{"layers": [1], "attention": {"rank": 1}}]})")),
              HasSubstr("\"kv_lora_rank\""));
}

TEST(PlanJson, RefusesSettingsOfAnotherMethod) {
  const std::string message = message_of(
      json::parse(R"({"layers": [{"layers": [1], "feed_forward": {"method": "copy", "drop_ratio": 0.5}}]})"));

  EXPECT_THAT(message, HasSubstr("\"drop_ratio\""));
  EXPECT_THAT(message, HasSubstr("\"noise\""));
}

TEST(PlanJson, RefusesUnknownMethodsAndNamesTheKnown) {
  EXPECT_THAT(message_of(json::parse(R"({"layers": [{"layers": [1], "feed_forward": {"method": "split"}}]})")),
              HasSubstr("\"copy\", \"drop-upcycling\""));
  EXPECT_THAT(message_of(json::parse(R"({"layers": [{"layers": [1], "attention": {"method": "svd"}}]})")),
              HasSubstr("\"transmla\""));
}

TEST(PlanJson, RefusesWhatIsNotAPlan) {
  const auto refused = [](const char* bad) { return message_of(json::parse(bad)); };

  EXPECT_THAT(refused("[]"), HasSubstr("expected an object"));
  EXPECT_THAT(refused("{}"), HasSubstr("\"layers\" is missing"));
  EXPECT_THAT(refused(R"({"layers": [{"layers": []}]})"), HasSubstr("empty list"));
  EXPECT_THAT(refused(R"({"layers": [{"layers": [3]}]})"), HasSubstr("neither"));
  EXPECT_THAT(refused(R"({"layers": [{"layers": [3, 3], "attention": {}}]})"), HasSubstr("planned twice"));
  EXPECT_THAT(refused(R"({"layers": [{"layers": [3.5], "attention": {}}]})"), HasSubstr("list of integers"));
  EXPECT_THAT(refused(R"({"layers": [{"layers": [3], "attention": {"kv_lora_rank": "96"}}]})"), HasSubstr("\"96\""));
  EXPECT_THAT(refused(R"({"layers": [], "seed": -1})"), HasSubstr("got -1"));
  EXPECT_THAT(refused(R"({"layers": [], "calibration": {"samples": 1}})"), HasSubstr("\"num_samples\""));
  EXPECT_THAT(refused(R"({"layers": [{"layers": [1], "feed_forward": {"router": "relu"}}]})"),
              HasSubstr("\"sigmoid\""));
}

TEST(PlanProblems, AreNoneForTheDefaultsOnSmolLm2) {
  ConversionPlan plan = plan_of(29, MlaPlan{});
  plan.layers[0].feed_forward = MoePlan{};

  EXPECT_THAT(plan_problems(plan, smollm2()), IsEmpty());
}

TEST(PlanProblems, NameTheLayersThatShareAProblemOnce) {
  ConversionPlan plan = plan_of(8, MlaPlan{.kv_lora_rank = 353});
  plan.layers[10] = plan.layers[8];

  EXPECT_THAT(plan_problems(plan, smollm2()),
              ElementsAre("Layers 8, 10: kv_lora_rank is 353; with qk_rope_head_dim 32 it must be 1 to 352."));
}

TEST(PlanProblems, FindLayersThatDoNotExist) {
  EXPECT_THAT(plan_problems(plan_of(30, MlaPlan{}), smollm2()), ElementsAre(HasSubstr("layers 0 to 29")));
  EXPECT_THAT(plan_problems(plan_of(-1, MoePlan{}), smollm2()), ElementsAre(HasSubstr("Layer -1")));
}

TEST(PlanProblems, CountTheExpertsThatTheModelWouldHave) {
  ModelConfig config = smollm2();
  config.layers.resize(300);
  ConversionPlan plan;
  for (std::int64_t layer = 0; layer < 256; ++layer) plan.layers[layer].feed_forward = MoePlan{.num_experts = 1024};
  EXPECT_THAT(plan_problems(plan, config), IsEmpty());

  config.layers[299].feed_forward = {.kind = FeedForwardKind::Moe, .num_experts = 1};
  EXPECT_THAT(plan_problems(plan, config),
              ElementsAre("The model would have 262145 experts; at most 262144 are allowed."));
}

class BadMla : public ::testing::TestWithParam<std::pair<MlaPlan, const char*>> {};

TEST_P(BadMla, IsExplained) {
  EXPECT_THAT(plan_problems(plan_of(3, GetParam().first), smollm2()), Contains(HasSubstr(GetParam().second)));
}

INSTANTIATE_TEST_SUITE_P(
    PlanProblems, BadMla,
    ::testing::Values(std::pair{MlaPlan{.qk_rope_head_dim = 0}, "qk_rope_head_dim is 0"},
                      std::pair{MlaPlan{.qk_rope_head_dim = 33}, "even number"},
                      std::pair{MlaPlan{.qk_rope_head_dim = 48}, "must divide head_dim 64"},
                      std::pair{MlaPlan{.qk_rope_head_dim = 96}, "must divide head_dim 64"},
                      std::pair{MlaPlan{.qk_rope_head_dim = 256}, "2 to 192"},
                      std::pair{MlaPlan{.kv_lora_rank = 0}, "kv_lora_rank is 0"},
                      std::pair{MlaPlan{.freqfold = 0}, "freqfold is 0"},
                      std::pair{MlaPlan{.freqfold = 1}, "multiple of 2"},
                      std::pair{MlaPlan{.freqfold = 3}, "freqfold is 3"},
                      std::pair{MlaPlan{.freqfold = 64}, "divides head_dim / 2 = 32"},
                      std::pair{MlaPlan{.balance_kv_ratio = 0}, "balance_kv_ratio is 0"},
                      std::pair{MlaPlan{.method = "lathe-mla", .qk_rope_head_dim = 194}, "2 to 192"},
                      std::pair{MlaPlan{.method = "lathe-mla", .context_length = 1}, "context_length is 1"},
                      std::pair{MlaPlan{.method = "lathe-mla", .heal_steps = -1}, "heal_steps is -1"},
                      std::pair{MlaPlan{.method = "lathe-mla", .heal_steps = 10001}, "0 to 10000"},
                      std::pair{MlaPlan{.method = "svd"}, "\"svd\""}));

TEST(LatheMoePlan, DividesTheNeurons) {
  const auto sizes = [](double active, std::int64_t experts) {
    const SplitSizes split = split_sizes(
        {.method = "lathe-moe", .num_experts = experts, .active_fraction = active, .shared_fraction = 0.5}, 1536);
    return std::vector{split.shared, split.expert, split.experts_per_token};
  };
  EXPECT_EQ(sizes(0.75, 96), (std::vector<std::int64_t>{576, 10, 58}));
  EXPECT_EQ(sizes(0.5, 96), (std::vector<std::int64_t>{384, 12, 32}));
  EXPECT_EQ(sizes(0.25, 96), (std::vector<std::int64_t>{192, 14, 14}));
  EXPECT_EQ(sizes(0.5, 32), (std::vector<std::int64_t>{384, 36, 11}));
  EXPECT_EQ(sizes(1.0, 96)[2], 96);
}

TEST(LatheMoePlan, MakesExpertsThatCountWholeAndIsRefusedWhereNoneIsLeft) {
  const MoePlan moe{.method = "lathe-moe", .num_experts = 96};
  const ModelConfig planned = planned_config(plan_of(3, moe), smollm2());
  EXPECT_TRUE(planned.layers[3].feed_forward.unit_weights);
  EXPECT_EQ(config_from_json(config_to_json(planned)), planned);
  const auto problems = [](MoePlan plan) {
    plan.method = "lathe-moe";
    return plan_problems(plan_of(3, plan), smollm2());
  };
  EXPECT_THAT(problems({.num_experts = 1024, .active_fraction = 0.9, .shared_fraction = 0.9}),
              Contains(HasSubstr("choose fewer experts")));
  EXPECT_THAT(problems({.active_fraction = 0.0}), Contains(HasSubstr("active_fraction is 0")));
  EXPECT_THAT(problems({.active_fraction = 1.5}), Contains(HasSubstr("active_fraction is 1.5")));
  EXPECT_THAT(problems({.shared_fraction = -1.0}), Contains(HasSubstr("shared_fraction is -1")));
}

TEST(LatheMlaPlan, TakesAnyEvenRopeAndMakesALayerWithABiasOfItsOwn) {
  const MlaPlan mla{.method = "lathe-mla", .qk_rope_head_dim = 46, .kv_lora_rank = 144};
  EXPECT_TRUE(plan_problems(plan_of(3, mla), smollm2()).empty());
  const ModelConfig planned = planned_config(plan_of(3, mla), smollm2());
  EXPECT_TRUE(planned.layers[3].attention.output_bias);
  EXPECT_EQ(planned.layers[3].attention.rope_pairs.size(), 23U);
  EXPECT_EQ(config_from_json(config_to_json(planned)), planned);
}

class BadMoe : public ::testing::TestWithParam<std::pair<MoePlan, const char*>> {};

TEST_P(BadMoe, IsExplained) {
  EXPECT_THAT(plan_problems(plan_of(3, GetParam().first), smollm2()), Contains(HasSubstr(GetParam().second)));
}

INSTANTIATE_TEST_SUITE_P(PlanProblems, BadMoe,
                         ::testing::Values(std::pair{MoePlan{.num_experts = 0}, "num_experts is 0"},
                                           std::pair{MoePlan{.num_experts_per_tok = 9}, "num_experts_per_tok is 9"},
                                           std::pair{MoePlan{.num_experts_per_tok = 1}, "never trains its router"},
                                           std::pair{MoePlan{.noise = -0.1}, "noise is -0.1"},
                                           std::pair{MoePlan{.drop_ratio = 1.5}, "drop_ratio is 1.5"},
                                           std::pair{MoePlan{.router_std = -1}, "router_std is -1"},
                                           std::pair{MoePlan{.method = "split"}, "\"split\""}));

TEST(PlanProblems, RefuseToConvertTwice) {
  ModelConfig config = planned_config(plan_of(4, MlaPlan{}), smollm2());
  config = planned_config(plan_of(4, MoePlan{}), config);

  EXPECT_THAT(plan_problems(plan_of(4, MlaPlan{}), config), ElementsAre("Layer 4: its attention is MLA already."));
  EXPECT_THAT(plan_problems(plan_of(4, MoePlan{}), config), ElementsAre("Layer 4: its feed-forward is MoE already."));
}

TEST(PlanProblems, RefuseAttentionThatLatentsCannotExpress) {
  ModelConfig windows = smollm2();
  windows.layers[0].attention.sliding_window = 512;
  EXPECT_THAT(plan_problems(plan_of(0, MlaPlan{}), windows), ElementsAre(HasSubstr("sliding window")));
  EXPECT_THAT(plan_problems(plan_of(1, MlaPlan{}), windows), IsEmpty());

  ModelConfig norms = smollm2();
  norms.qk_norm = true;
  EXPECT_THAT(plan_problems(plan_of(0, MlaPlan{}), norms), ElementsAre(HasSubstr("qk_norm")));

  ModelConfig yarn = smollm2();
  yarn.rope_scaling = {.kind = RopeScalingKind::Yarn, .factor = 4.0, .attention_factor = 1.14};
  EXPECT_THAT(plan_problems(plan_of(0, MlaPlan{}), yarn), ElementsAre(HasSubstr("attention_factor")));
}

TEST(PlanProblems, RefuseExpertsForAnMlpWithBiases) {
  ModelConfig config = smollm2();
  config.mlp_bias = true;

  EXPECT_THAT(plan_problems(plan_of(4, MoePlan{}), config), ElementsAre(HasSubstr("biases")));
}

TEST(PlanProblems, CheckTheCalibration) {
  ConversionPlan plan = plan_of(4, MlaPlan{});
  plan.calibration = {.text = "", .num_samples = 0, .seq_len = 9000};

  EXPECT_THAT(plan_problems(plan, smollm2()), ElementsAre(HasSubstr("num_samples is 0"), HasSubstr("8192 positions")));
}

TEST(PlannedConfig, ThrowsAllProblems) {
  ConversionPlan plan = plan_of(40, MlaPlan{});
  plan.layers[3].feed_forward = MoePlan{.num_experts_per_tok = 1};

  try {
    planned_config(plan, smollm2());
    FAIL() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("Layer 40"));
    EXPECT_THAT(error.what(), HasSubstr("Layer 3"));
  }
}

TEST(PlannedConfig, ChangesOnlyTheLayersOfThePlan) {
  const ModelConfig planned = planned_config(plan_of(7, MlaPlan{.qk_rope_head_dim = 64, .freqfold = 2}), smollm2());

  const AttentionConfig& mla = planned.layers[7].attention;
  EXPECT_EQ(mla.kind, AttentionKind::Mla);
  EXPECT_EQ(mla.qk_nope_head_dim, 64);
  EXPECT_EQ(mla.v_head_dim, 64);
  EXPECT_EQ(kv_values_per_token(planned, mla), 160);
  EXPECT_EQ(planned.layers[6], LayerConfig{});
  EXPECT_EQ(planned.layers[7].feed_forward, FeedForwardConfig{});
}

TEST(PlannedConfig, MakesExpertsOfTheDenseSize) {
  const ModelConfig planned = planned_config(plan_of(7, MoePlan{}), smollm2());

  EXPECT_EQ(feed_forward_params(planned, planned.layers[7].feed_forward), 8 * 3 * 576 * 1536 + 8 * 576);
}

TEST(PlannedRopePairs, KeepEveryFrequencyOfOneHeadWithoutCollapse) {
  const std::vector<std::int64_t> pairs = planned_rope_pairs({.qk_rope_head_dim = 64, .freqfold = 4}, smollm2());

  ASSERT_EQ(pairs.size(), 32);
  for (std::size_t i = 0; i < 32; ++i) EXPECT_EQ(pairs[i], i);
}

TEST(PlannedRopePairs, StrideThroughTheFrequenciesWithCollapse) {
  const std::vector<std::int64_t> pairs = planned_rope_pairs({.qk_rope_head_dim = 16, .freqfold = 8}, smollm2());

  EXPECT_THAT(pairs, ElementsAre(0, 4, 8, 12, 16, 20, 24, 28));
}

TEST(PlannedRopePairs, RepeatEachFrequencyForEachHeadThatKeepsRope) {
  const std::vector<std::int64_t> pairs = planned_rope_pairs({.qk_rope_head_dim = 192, .freqfold = 1}, smollm2());

  ASSERT_EQ(pairs.size(), 96);
  for (std::size_t i = 0; i < 96; ++i) EXPECT_EQ(pairs[i], i / 3);
}

}  // namespace
}  // namespace lathe
