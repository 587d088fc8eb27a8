#include "model/infer/generate.h"

#include <ATen/ops/argmax.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stop_token>

#include "model/infer/latent_moments.h"
#include "model/infer/token_ids.h"
#include "model/io/utf8.h"
#include "model/nn/forward.h"
#include "tests/infer/tiny_models.h"

namespace lathe {
namespace {

using test::byte_tokenizer;
using test::tiny_mixed_model;
using test::TinyLayer;
using testing::ElementsAre;
using testing::HasSubstr;

/// A model without layers that always writes the same text after "a": each byte names the next one.
/// The text is "€😀éb" and its end, and no byte occurs in it twice.
constexpr const char* kChainText = "€😀éb";
Model chain_model() {
  Model model;
  model.config.vocab_size = 257;
  model.config.hidden_size = 257;
  model.config.num_attention_heads = 1;
  model.config.num_key_value_heads = 1;
  model.config.head_dim = 2;
  model.config.max_position_embeddings = 64;
  model.config.eos_token_ids = {256};
  model.embed_VD = at::zeros({257, 257}).fill_diagonal_(1.0);
  model.norm_D = at::zeros({257}).fill_(1.0);
  model.lm_head_VD = at::zeros({257, 257});
  std::vector<std::int64_t> chain = {'a'};
  for (const char* byte = kChainText; *byte != 0; ++byte) chain.push_back(static_cast<unsigned char>(*byte));
  chain.push_back(256);
  for (std::size_t i = 0; i + 1 < chain.size(); ++i) model.lm_head_VD[chain[i + 1]][chain[i]] = 1.0;
  return model;
}

struct Written {
  Generated result;
  std::vector<std::string> pieces;
};

Written write(const Model& model, const GenerateSettings& settings, const Job& job = {}) {
  Written written;
  GenerateRequest request{.settings = settings};
  request.on_token = [&](const TokenWritten& token) { written.pieces.push_back(token.text); };
  written.result = generate(model, byte_tokenizer(), request, job);
  return written;
}

GenerateSettings asking(const std::string& prompt, std::int64_t tokens) {
  GenerateSettings settings;
  settings.prompt = prompt;
  settings.max_new_tokens = tokens;
  return settings;
}

std::vector<std::int32_t> bytes_of(const std::string& text) {
  std::vector<std::int32_t> ids;
  for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
  return ids;
}

std::string long_prompt(std::size_t length) {
  std::string prompt;
  for (const std::int32_t id : test::random_ids(length, 4)) prompt += static_cast<char>(' ' + id % 90);
  return prompt;
}

at::Tensor next_probabilities(const Model& model, const std::vector<std::int32_t>& ids) {
  const c10::InferenceMode no_gradients;
  return at::softmax(forward(model, ids_tensor(model, ids))[0][-1], -1);
}

struct Kinds {
  const char* name;
  std::vector<TinyLayer> layers;
};

class GreedyWriting : public testing::TestWithParam<Kinds> {};

TEST_P(GreedyWriting, WithACacheTakesTheBestTokenOfAFullForwardAtEachStep) {
  const Model model = test::tiny_model(GetParam().layers, /*seed=*/6);
  for (const std::size_t length : {std::size_t{1}, std::size_t{37}, std::size_t{700}}) {
    SCOPED_TRACE(length);
    const std::string prompt = long_prompt(length);

    const Generated result = write(model, asking(prompt, 12)).result;

    std::vector<std::int32_t> ids = bytes_of(prompt);
    for (const std::int64_t id : result.ids) {
      ASSERT_EQ(id, at::argmax(next_probabilities(model, ids)).item<std::int64_t>());
      ids.push_back(static_cast<std::int32_t>(id));
    }
    EXPECT_EQ(result.prompt_tokens, static_cast<std::int64_t>(length));
  }
}

INSTANTIATE_TEST_SUITE_P(
    AllLayerKinds, GreedyWriting,
    testing::Values(Kinds{"Gqa", {{"gqa", "dense"}, {"gqa", "dense"}}},
                    Kinds{"Mla", {{"mla", "dense"}, {"mla", "dense"}}}, Kinds{"Moe", {{"gqa", "moe"}, {"gqa", "moe"}}},
                    Kinds{"Mixed", {{"gqa", "dense"}, {"mla", "moe"}, {"gqa", "moe"}, {"mla", "dense"}}}),
    [](const auto& kinds) { return std::string(kinds.param.name); });

TEST(Generate, StreamsWholeCharactersOnly) {
  const Written written = write(chain_model(), asking("a", 50));

  EXPECT_EQ(written.result.text, kChainText);
  EXPECT_EQ(written.result.finish, "eos");
  EXPECT_EQ(written.result.ids.back(), 256);
  EXPECT_THAT(written.pieces, ElementsAre("", "", "€", "", "", "", "😀", "", "é", "b", ""));
}

TEST(Generate, NeverEmitsBrokenTextAndItsPiecesAreTheWhole) {
  GenerateSettings settings = asking("Hi", 300);
  settings.temperature = 1.0;
  const Written written = write(tiny_mixed_model(), settings);

  std::string joined;
  for (const std::string& piece : written.pieces) {
    EXPECT_TRUE(is_utf8(piece));
    joined += piece;
  }
  EXPECT_EQ(joined, written.result.text);
  const std::vector<std::int32_t> ids(written.result.ids.begin(), written.result.ids.end());
  EXPECT_EQ(joined, byte_tokenizer().decode(ids));
}

TEST(Generate, EndsBeforeAStopStringThatSpansTokens) {
  GenerateSettings settings = asking("a", 50);
  settings.stop = {"never", "😀é"};

  const Written written = write(chain_model(), settings);

  EXPECT_EQ(written.result.text, "€");
  EXPECT_EQ(written.result.finish, "stop");
  EXPECT_THAT(written.pieces, ElementsAre("", "", "€", "", "", "", "", "", ""));
}

TEST(Generate, GivesBackWhatLookedLikeTheBeginningOfAStopString) {
  GenerateSettings settings = asking("a", 50);
  settings.stop = {"éb!"};

  const Written written = write(chain_model(), settings);

  EXPECT_EQ(written.result.text, kChainText);
  EXPECT_EQ(written.result.finish, "eos");
}

TEST(Generate, StopsAtTheLengthAskedForAndClosesACutCharacter) {
  const Written written = write(chain_model(), asking("a", 5));

  EXPECT_EQ(written.result.finish, "length");
  EXPECT_EQ(written.result.ids.size(), 5U);
  EXPECT_EQ(written.result.text, "€\uFFFD");
  EXPECT_EQ(written.pieces.back(), "\uFFFD");
}

TEST(Generate, StopsWhereTheContextEnds) {
  Model model = chain_model();
  model.config.max_position_embeddings = 4;

  const Written written = write(model, asking("a", 50));

  EXPECT_EQ(written.result.finish, "context");
  EXPECT_EQ(written.result.text, "€");
}

TEST(Generate, RefusesAPromptThatIsEmptyOrLongerThanTheContext) {
  Model model = chain_model();
  model.config.max_position_embeddings = 4;

  EXPECT_THAT([&] { write(model, asking("", 1)); }, testing::ThrowsMessage<Error>(HasSubstr("prompt is empty")));
  EXPECT_THAT([&] { write(model, asking("abcde", 1)); },
              testing::ThrowsMessage<Error>(AllOf(HasSubstr("5 tokens"), HasSubstr("at most 4"))));
  EXPECT_EQ(write(model, asking("abcd", 1)).result.finish, "context");
}

TEST(Generate, ReadsThePromptEvenIfNothingShallBeWritten) {
  const Written written = write(chain_model(), asking("a", 0));

  EXPECT_EQ(written.result.finish, "length");
  EXPECT_TRUE(written.result.ids.empty());
  EXPECT_TRUE(written.pieces.empty());
}

TEST(Generate, WritesTheSameTextForTheSameSeedOnly) {
  const Model model = tiny_mixed_model();
  GenerateSettings settings = asking("Once upon a time", 60);
  settings.temperature = 1.2;
  settings.top_p = 0.95;
  const auto first = write(model, settings).result.ids;

  EXPECT_EQ(write(model, settings).result.ids, first);
  settings.seed = 1;
  EXPECT_NE(write(model, settings).result.ids, first);
}

TEST(Generate, CountsThePromptAmongTheRepeatedTokens) {
  GenerateSettings settings = asking("€", 1);
  settings.repetition_penalty = 50.0;
  Model model = chain_model();
  model.lm_head_VD[0x82][0xAC] = 2.0;  // the best token after the prompt is one that the prompt holds
  model.lm_head_VD[0xF0][0xAC] = 1.0;

  EXPECT_THAT(write(model, settings).result.ids, ElementsAre(0xF0));
}

TEST(Generate, TellsTheProbabilityOfEachTokenAndItsAlternatives) {
  const Model model = tiny_mixed_model();
  std::vector<TokenChoice> choices;
  GenerateRequest request{.settings = asking("Hello", 5)};
  request.on_token = [&](const TokenWritten& token) { choices.push_back(token.choice); };
  generate(model, byte_tokenizer(), request);

  std::vector<std::int32_t> ids = bytes_of("Hello");
  for (const TokenChoice& choice : choices) {
    if (choice.token.id < 0) continue;  // closes a cut character
    const at::Tensor p_V = next_probabilities(model, ids);
    EXPECT_NEAR(choice.probability, p_V[choice.token.id].item<float>(), 1e-5);
    ASSERT_EQ(choice.alternatives.size(), 8U);
    const auto [best, order] = p_V.topk(8);
    for (std::int64_t i = 0; i < 8; ++i) {
      EXPECT_EQ(choice.alternatives[static_cast<std::size_t>(i)].first.id, order[i].item<std::int64_t>());
      EXPECT_NEAR(choice.alternatives[static_cast<std::size_t>(i)].second, best[i].item<float>(), 1e-5);
    }
    ids.push_back(static_cast<std::int32_t>(choice.token.id));
  }
  EXPECT_GE(choices.size(), 5U);
}

TEST(Generate, TellsTheProbabilityOfEachPromptTokenButTheFirst) {
  const Model model = tiny_mixed_model();
  const std::string prompt = long_prompt(600);
  std::vector<TokenChoice> choices;
  GenerateRequest request{.settings = asking(prompt, 0)};
  request.on_prompt = [&](const std::vector<TokenChoice>& told) { choices = told; };
  generate(model, byte_tokenizer(), request);

  const auto ids = bytes_of(prompt);
  const c10::InferenceMode no_gradients;
  const at::Tensor p_TV = at::softmax(forward(model, ids_tensor(model, ids))[0], -1);
  ASSERT_EQ(choices.size(), ids.size() - 1);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    ASSERT_EQ(choices[i].token.id, ids[i + 1]);
    ASSERT_NEAR(choices[i].probability, p_TV[static_cast<std::int64_t>(i)][ids[i + 1]].item<float>(), 1e-5);
  }
}

TEST(Generate, CachesKeysAndValuesForGqaAndTheLatentAloneForMla) {
  const auto bytes = [](const std::string& attention) {
    return write(test::tiny_model({{attention, "dense"}}), asking("12345678", 3)).result.cache_bytes;
  };

  // 8 prompt tokens and 2 of the 3 written ones are read: 10 tokens of 4 bytes a value.
  EXPECT_EQ(bytes("gqa"), 10 * 4 * (2 * 2 * 8));
  EXPECT_EQ(bytes("mla"), 10 * 4 * (12 + 4));
}

TEST(Generate, ShowsEveryForwardToTheProbe) {
  LatentMoments moments(1e9);
  const Probe probe([](std::string_view name, std::int64_t) { return name == tap::kLatent; },
                    [&](std::string_view, std::int64_t layer, const at::Tensor& x) { moments.add(layer, x); });
  GenerateRequest request{.settings = asking("Hello", 4)};
  request.probe = &probe;

  generate(tiny_mixed_model(), byte_tokenizer(), request);

  EXPECT_THAT(moments.layers(), ElementsAre(1, 3));
  EXPECT_EQ(moments.spectrum(1).num_tokens, 5 + 3);
}

TEST(Generate, ReturnsWhatWasWrittenWhenCancelled) {
  std::stop_source stop;
  const Job job(stop.get_token(), nullptr);
  GenerateRequest request{.settings = asking("a", 50)};
  int count = 0;
  request.on_token = [&](const TokenWritten&) {
    if (++count == 3) stop.request_stop();
  };

  const Generated result = generate(chain_model(), byte_tokenizer(), request, job);

  EXPECT_EQ(result.finish, "cancelled");
  EXPECT_EQ(result.text, "€");
  EXPECT_THROW(job.check(), Cancelled);
}

TEST(Generate, IsCancelledWhileItReadsThePrompt) {
  std::stop_source stop;
  stop.request_stop();

  EXPECT_THROW(write(chain_model(), asking("a", 5), Job(stop.get_token(), nullptr)), Cancelled);
}

}  // namespace
}  // namespace lathe
