#include "model/io/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "model/data/error.h"
#include "model/io/utf8.h"
#include "tests/io/tokenizer_goldens.h"

namespace lathe {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Tokenizer, PutsTheSpecialTokensAroundATextUnlessToldNotTo) {
  const Tokenizer tokenizer = small_tokenizer("llama3_style");

  const auto with = tokenizer.encode("Hi"), without = tokenizer.encode("Hi", {.add_special_tokens = false});

  EXPECT_EQ(with.front(), tokenizer.id_of("<|begin_of_text|>"));
  EXPECT_EQ(std::vector(with.begin() + 1, with.end()), without);
  EXPECT_EQ(tokenizer.encode("").size(), 1);
  EXPECT_TRUE(tokenizer.encode("", {.add_special_tokens = false}).empty());
}

TEST(Tokenizer, LeavesSpecialTokensOutOfDecodedTextUnlessToldNotTo) {
  const Tokenizer tokenizer = small_tokenizer("llama3_style");
  const auto ids = tokenizer.encode("a<|eot_id|>b");

  EXPECT_EQ(tokenizer.decode(ids), "ab");
  EXPECT_EQ(tokenizer.decode(ids, {.skip_special_tokens = false}), "<|begin_of_text|>a<|eot_id|>b");
}

TEST(Tokenizer, TellsOfEachTokenItsSpellingAndItsText) {
  const Tokenizer tokenizer = small_tokenizer("llama3_style");
  const std::int32_t the = tokenizer.id_of("Ġthe").value();

  EXPECT_EQ(tokenizer.token(the), "Ġthe");
  EXPECT_EQ(tokenizer.token_text(the), " the");
  EXPECT_EQ(tokenizer.token_text(tokenizer.id_of("â").value()), "<0xE2>");
  EXPECT_TRUE(tokenizer.is_special(tokenizer.id_of("<|eot_id|>").value()));
  EXPECT_FALSE(tokenizer.is_special(the));
  EXPECT_EQ(tokenizer.id_of("no such token"), std::nullopt);
}

TEST(Tokenizer, GivesNoTextForIdsOutsideTheVocabulary) {
  const Tokenizer tokenizer = small_tokenizer("llama3_style");
  const auto end = static_cast<std::int32_t>(tokenizer.vocab_size());
  const std::vector<std::int32_t> ids{-1, end, INT32_MAX, INT32_MIN};

  EXPECT_EQ(tokenizer.decode(ids), "");
  EXPECT_EQ(tokenizer.token(end), "");
  EXPECT_EQ(tokenizer.token_text(-1), "");
  EXPECT_FALSE(tokenizer.is_special(end));
  EXPECT_NE(tokenizer.token(end - 1), "");
}

TEST(Tokenizer, ReplacesWhatIsNotUtf8) {
  const Tokenizer tokenizer = small_tokenizer("llama3_style");

  EXPECT_EQ(tokenizer.encode("a\xE2\x82 b\xFF"), tokenizer.encode("a\uFFFD b\uFFFD"));
}

TEST(Tokenizer, ReadsItsConfigFiles) {
  TokenizerFiles files{.tokenizer_json = slurp(golden_path("llama3_style.json"))};
  files.tokenizer_config_json = R"({"bos_token": "<|begin_of_text|>", "eos_token": {"content": "<|end_of_text|>"},
    "chat_template": [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}]})";
  files.generation_config_json = R"({"eos_token_id": [2001, 2004]})";

  const Tokenizer tokenizer = Tokenizer::from_files(files, "test");

  EXPECT_EQ(tokenizer.bos_id(), tokenizer.id_of("<|begin_of_text|>"));
  EXPECT_EQ(tokenizer.eos_id(), tokenizer.id_of("<|end_of_text|>"));
  EXPECT_EQ(tokenizer.eos_ids().front(), tokenizer.eos_id());
  EXPECT_THAT(tokenizer.eos_ids(), testing::UnorderedElementsAreArray({2001, 2004}));
  EXPECT_EQ(tokenizer.chat_template(), "yes");
  EXPECT_EQ(tokenizer.files().tokenizer_config_json, files.tokenizer_config_json);
}

TEST(Tokenizer, TakesATemplateFileBeforeTheOneInItsConfig) {
  TokenizerFiles files{.tokenizer_json = slurp(golden_path("gpt2_style.json"))};
  files.tokenizer_config_json = R"({"chat_template": "old"})";
  files.chat_template_jinja = "new";

  EXPECT_EQ(Tokenizer::from_files(files, "test").chat_template(), "new");
}

TEST(Tokenizer, OpensAFolder) {
  const TempFolder folder;
  folder.write("tokenizer.json", slurp(golden_path("gpt2_style.json")));
  folder.write("tokenizer_config.json", R"({"eos_token": "<|endoftext|>", "bos_token": null})");

  const Tokenizer tokenizer = load_tokenizer(folder.path());

  EXPECT_EQ(tokenizer.eos_id(), 0);
  EXPECT_EQ(tokenizer.bos_id(), std::nullopt);
  EXPECT_EQ(tokenizer.encode("Hello"), small_tokenizer("gpt2_style").encode("Hello"));
}

TEST(Tokenizer, SaysWhatAFolderWithoutTokenizerLacks) {
  const TempFolder folder;

  try {
    Tokenizer::from_folder(folder.path());
    FAIL() << "it opened";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the folder has no tokenizer"));
  }
}

TEST(Tokenizer, WorksOnManyThreadsAtOnce) {
  const Tokenizer tokenizer = small_tokenizer("mixed_style");
  const std::vector<std::string> texts = golden_texts(), expected = lines_of(slurp(golden_path("mixed_style.ids")));
  std::vector<int> differences(4);

  std::vector<std::jthread> threads;
  for (int& count : differences) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < texts.size(); ++i) count += joined(tokenizer.encode(texts[i])) != expected[i];
    });
  }
  threads.clear();

  EXPECT_THAT(differences, ElementsAre(0, 0, 0, 0));
}

TEST(Tokenizer, TakesTimeInProportionToUnkindTexts) {
  // A quadratic or backtracking step would take minutes on these, or give up.
  constexpr std::size_t kBytes = 1 << 20;
  std::string accents;
  while (accents.size() < kBytes) accents += "\u0301";
  const Tokenizer tokenizer = small_tokenizer("llama3_style");

  for (const std::string& text : {std::string(kBytes, ' '), std::string(kBytes, 'a'), std::string(kBytes, '\n'),
                                  std::string(kBytes, '<'), std::string(kBytes, '\''), accents}) {
    const auto ids = tokenizer.encode(text, {.add_special_tokens = false});
    EXPECT_EQ(tokenizer.decode(ids), text);
  }
}

TEST(StreamDecoder, NeverCutsACharacter) {
  const Tokenizer tokenizer = small_tokenizer("gpt2_style");
  for (const std::string& text : golden_texts()) {
    const auto ids = tokenizer.encode(text);
    StreamDecoder decoder(tokenizer);

    std::string streamed;
    for (const std::int32_t id : ids) {
      const std::string part = decoder.push(id);
      EXPECT_TRUE(is_utf8(part));
      streamed += part;
    }
    streamed += decoder.finish();

    EXPECT_EQ(streamed, tokenizer.decode(ids));
  }
}

TEST(StreamDecoder, EqualsDecodeOnIdsThatMakeNoText) {
  const Tokenizer tokenizer = small_tokenizer("gpt2_style");
  std::uint32_t state = 1;
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 8; ++i) {
      state = state * 1664525 + 1013904223;
      ids.push_back(static_cast<std::int32_t>((state >> 16) % 258));  // nearly all are single bytes
    }
    StreamDecoder decoder(tokenizer, {.skip_special_tokens = false});

    std::string streamed;
    for (const std::int32_t id : ids) streamed += decoder.push(id);
    streamed += decoder.finish();

    EXPECT_EQ(streamed, tokenizer.decode(ids, {.skip_special_tokens = false})) << joined(ids);
  }
}

TEST(StreamDecoder, HoldsBackOnlyTheUnfinishedCharacter) {
  const Tokenizer tokenizer = small_tokenizer("gpt2_style");
  StreamDecoder decoder(tokenizer);
  const auto byte = [&](const char* spelling) { return tokenizer.id_of(spelling).value(); };

  EXPECT_EQ(decoder.push(byte("a")), "a");
  EXPECT_EQ(decoder.push(byte("Ã")), "");
  EXPECT_EQ(decoder.push(byte("©")), "é");
  EXPECT_EQ(decoder.push(byte("ð")), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.finish(), "");
}

}  // namespace
}  // namespace lathe
