#include "model/data/config.h"

#include <gmock/gmock.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/data/error.h"

namespace lathe {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// config.json of SmolLM2-135M-Instruct as published.
json smollm2() {
  return json::parse(R"({"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 576, "initializer_range": 0.04,
    "intermediate_size": 1536, "is_llama_config": true, "max_position_embeddings": 8192, "mlp_bias": false,
    "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3,
    "pad_token_id": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_interleaved": false, "rope_scaling": null,
    "rope_theta": 100000, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.42.3",
    "use_cache": true, "vocab_size": 49152})");
}

json with(json config, const char* key, json value) {
  config[key] = std::move(value);
  return config;
}

/// The smallest config of its family that opens.
json deepseek_v3() {
  json config = smollm2();
  config.update({{"model_type", "deepseek_v3"},
                 {"n_routed_experts", 8},
                 {"num_experts_per_tok", 2},
                 {"moe_intermediate_size", 64},
                 {"kv_lora_rank", 64},
                 {"qk_nope_head_dim", 64},
                 {"qk_rope_head_dim", 32},
                 {"v_head_dim", 64}});
  return config;
}

std::string error_of(const json& config) {
  try {
    config_from_json(config);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

ModelConfig mixed_config() {
  ModelConfig config = config_from_json(smollm2());
  config.layers[3].attention = {.kind = AttentionKind::Mla,
                                .kv_lora_rank = 96,
                                .q_lora_rank = 24,
                                .qk_nope_head_dim = 64,
                                .qk_rope_head_dim = 6,
                                .v_head_dim = 64,
                                .latent_norm = true,
                                .rope_pairs = {31, 0, 0}};
  config.layers[4].feed_forward = {.kind = FeedForwardKind::Moe,
                                   .num_experts = 8,
                                   .num_experts_per_tok = 2,
                                   .moe_intermediate_size = 1536,
                                   .shared_expert_intermediate_size = 100,
                                   .shared_expert_gate = true,
                                   .router = RouterKind::Sigmoid,
                                   .norm_topk_prob = false,
                                   .routed_scaling_factor = 2.5};
  return config;
}

TEST(Config, ReadsSmolLm2AsPublished) {
  const ModelConfig config = config_from_json(smollm2());

  EXPECT_EQ(config.num_layers(), 30);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.num_key_value_heads, 3);
  EXPECT_EQ(config.rope_theta, 100000.0);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_EQ(config.rope_scaling, RopeScaling{});
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_THAT(config.eos_token_ids, ElementsAre(2));
  EXPECT_EQ(config.layers[29], LayerConfig{});
}

TEST(Config, MissingOptionalKeysMeanWhatTransformersMeans) {
  json config = smollm2();
  for (const char* key : {"tie_word_embeddings", "num_key_value_heads", "rms_norm_eps", "rope_theta", "eos_token_id"}) {
    config.erase(key);
  }

  const ModelConfig read = config_from_json(config);

  EXPECT_FALSE(read.tie_word_embeddings);
  EXPECT_EQ(read.num_key_value_heads, 9);
  EXPECT_EQ(read.rms_norm_eps, 1e-6);
  EXPECT_EQ(read.rope_theta, 10000.0);
  EXPECT_TRUE(read.eos_token_ids.empty());
}

TEST(Config, ReadsAListOfEosIds) {
  const ModelConfig config = config_from_json(with(smollm2(), "eos_token_id", {128001, 128008, 128009}));
  EXPECT_THAT(config.eos_token_ids, ElementsAre(128001, 128008, 128009));
}

TEST(Config, AnExplicitHeadDimWins) { EXPECT_EQ(config_from_json(with(smollm2(), "head_dim", 128)).head_dim, 128); }

TEST(Config, ReadsRopeScalingOldAndNew) {
  const json llama3{{"factor", 8.0},
                    {"low_freq_factor", 1.0},
                    {"high_freq_factor", 4.0},
                    {"original_max_position_embeddings", 8192},
                    {"rope_type", "llama3"}};
  json parameters = llama3;
  parameters["rope_theta"] = 500000.0;
  json fresh = with(smollm2(), "rope_parameters", parameters);
  fresh.erase("rope_theta");

  const ModelConfig old_form = config_from_json(with(smollm2(), "rope_scaling", llama3));
  const ModelConfig new_form = config_from_json(fresh);

  EXPECT_EQ(old_form.rope_scaling.kind, RopeScalingKind::Llama3);
  EXPECT_EQ(old_form.rope_scaling, new_form.rope_scaling);
  EXPECT_EQ(new_form.rope_theta, 500000.0);
}

TEST(Config, ReadsLinearRopeScalingUnderItsFirstName) {
  const ModelConfig config = config_from_json(with(smollm2(), "rope_scaling", {{"type", "linear"}, {"factor", 4}}));
  EXPECT_EQ(config.rope_scaling.kind, RopeScalingKind::Linear);
  EXPECT_EQ(config.rope_scaling.factor, 4.0);
}

TEST(Config, UnconvertedModelsRoundTripAsLlama) {
  ModelConfig config = config_from_json(smollm2());
  config.rope_scaling = {.kind = RopeScalingKind::Llama3, .factor = 32};
  config.eos_token_ids = {2, 5};
  config.attention_bias = true;
  config.attention_output_bias = true;

  const json written = config_to_json(config);

  EXPECT_EQ(written.at("model_type"), "llama");
  EXPECT_EQ(config_from_json(written), config);
}

TEST(Config, ConvertedModelsRoundTripWithAListOfLayers) {
  const json written = config_to_json(mixed_config());

  EXPECT_EQ(written.at("model_type"), "lathe");
  EXPECT_EQ(written.at("layers").size(), 30U);
  EXPECT_EQ(config_from_json(json::parse(written.dump())), mixed_config());
}

struct Bad {
  const char* name;
  std::function<json()> make;
  std::vector<std::string> says;
};

class BadConfig : public testing::TestWithParam<Bad> {};

TEST_P(BadConfig, IsRefusedWithTheKeyTheValueAndWhatWasExpected) {
  const std::string error = error_of(GetParam().make());
  for (const std::string& part : GetParam().says) EXPECT_THAT(error, HasSubstr(part));
}

json change_layer(const char* part, const char* key, const json& value) {
  json config = config_to_json(mixed_config());
  config["layers"][part == std::string("attention") ? 3 : 4][part][key] = value;
  return config;
}

TEST(Config, TheDeepseekThatTheBadOnesAreMadeOfOpens) { EXPECT_EQ(error_of(deepseek_v3()), "no error"); }

INSTANTIATE_TEST_SUITE_P(
    Cases, BadConfig,
    testing::Values(
        Bad{"architecture", [] { return with(smollm2(), "model_type", "gemma3"); }, {"gemma3", "llama, mistral"}},
        Bad{"not_an_object", [] { return json::array(); }, {"config.json", "[]", "object"}},
        Bad{"missing",
            [] {
              json config = smollm2();
              config.erase("hidden_size");
              return config;
            },
            {"hidden_size", "missing"}},
        Bad{"string_for_integer", [] { return with(smollm2(), "hidden_size", "576"); }, {"hidden_size", "\"576\""}},
        Bad{"float_for_integer", [] { return with(smollm2(), "vocab_size", 49152.0); }, {"vocab_size", "49152.0"}},
        Bad{"integer_for_boolean", [] { return with(smollm2(), "mlp_bias", 1); }, {"mlp_bias", "true or false"}},
        Bad{"negative", [] { return with(smollm2(), "vocab_size", -4); }, {"vocab_size", "-4"}},
        Bad{"huge", [] { return with(smollm2(), "vocab_size", std::uint64_t{1} << 63); }, {"vocab_size", "integer"}},
        Bad{"product",
            [] { return with(with(smollm2(), "hidden_size", 9 << 24), "intermediate_size", 1 << 28); },
            {"parameters"}},
        Bad{"layers", [] { return with(smollm2(), "num_hidden_layers", 100000); }, {"num_hidden_layers", "4096"}},
        Bad{"heads", [] { return with(smollm2(), "num_key_value_heads", 2); }, {"multiple", "9", "2"}},
        Bad{"odd_head", [] { return with(smollm2(), "head_dim", 63); }, {"head_dim", "63", "even"}},
        Bad{"activation", [] { return with(smollm2(), "hidden_act", "gelu"); }, {"hidden_act", "gelu", "silu"}},
        Bad{"quantised", [] { return with(smollm2(), "quantization_config", json::object()); }, {"quantization"}},
        Bad{"rope_type",
            [] {
              return with(smollm2(), "rope_scaling", {{"rope_type", "dynamic"}, {"factor", 4.0}});
            },
            {"dynamic", "linear", "llama3"}},
        Bad{"infinite_yarn",
            [] {
              return with(deepseek_v3(), "rope_scaling",
                          {{"type", "yarn"}, {"factor", 4.0}, {"mscale_all_dim", 1e200}});
            },
            {"mscale_all_dim", "1e+200", "finite"}},
        Bad{"shared_experts_that_no_saved_config_could_hold",
            [] { return with(with(deepseek_v3(), "n_shared_experts", 9), "moe_intermediate_size", 1 << 27); },
            {"shared experts", "9 of 134217728"}},
        Bad{"rotated_dims_that_fill_the_memory",
            [] { return with(deepseek_v3(), "qk_rope_head_dim", 1 << 28); },
            {"qk_rope_head_dim", "268435456", "at most 1024"}},
        Bad{"partial_rope", [] { return with(smollm2(), "partial_rotary_factor", 0.5); }, {"partial_rotary_factor"}},
        Bad{"eos",
            [] {
              return with(smollm2(), "eos_token_id", {2, "x"});
            },
            {"eos_token_id", "list of integers"}},
        Bad{"count_of_layers",
            [] { return with(config_to_json(mixed_config()), "num_hidden_layers", 29); },
            {"30", "29"}},
        Bad{"unknown_layer_key",
            [] { return change_layer("attention", "kv_rank", 3); },
            {"layers[3]: attention", "\"kv_rank\"", "\"kv_lora_rank\""}},
        Bad{"attention_kind", [] { return change_layer("attention", "kind", "mqa"); }, {"layers[3]", "mqa", "mla"}},
        Bad{"rope_pair",
            [] {
              return change_layer("attention", "rope_pairs", {0, 1, 32});
            },
            {"rope_pairs", "32", "31"}},
        Bad{"rope_pair_count", [] { return change_layer("attention", "rope_pairs", {0}); }, {"rope_pairs", "3"}},
        Bad{"too_many_chosen",
            [] { return change_layer("feed_forward", "num_experts_per_tok", 9); },
            {"layers[4]", "got 9", "8"}},
        Bad{"experts",
            [] { return change_layer("feed_forward", "num_experts", 65'537); },
            {"layers[4]", "num_experts", "65537", "at most 65536"}},
        Bad{"experts_of_all_layers",
            [] {
              json config = config_to_json(mixed_config());
              config["layers"][4]["feed_forward"]["num_experts"] = 65'536;
              config["layers"][4]["feed_forward"]["moe_intermediate_size"] = 1;
              for (std::size_t i = 5; i < 9; ++i) config["layers"][i] = config["layers"][4];
              return config;
            },
            {"num_experts", "327680", "at most 262144"}},
        Bad{"router", [] { return change_layer("feed_forward", "router", "relu"); }, {"router", "relu", "sigmoid"}}),
    [](const auto& bad) { return std::string(bad.param.name); });

}  // namespace
}  // namespace lathe
