#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/data/error.h"
#include "tests/io/tokenizer_goldens.h"

namespace lathe {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

std::string failure_of(const GgufVocabulary& vocabulary) {
  try {
    Tokenizer::from_gguf(vocabulary, "model.gguf");
  } catch (const Error& error) {
    return error.what();
  }
  return "it opened";
}

TEST(GgufTokenizer, WithLlama3RulesEqualsItsTokenizerJson) {
  GgufVocabulary vocabulary = vocabulary_of("llama3_style", "llama-bpe");
  vocabulary.bos_id = small_tokenizer("llama3_style").id_of("<|begin_of_text|>");
  const std::vector<std::string> expected = lines_of(slurp(golden_path("llama3_style.ids")));

  const Tokenizer tokenizer = Tokenizer::from_gguf(vocabulary, "model.gguf");

  const std::vector<std::string> texts = golden_texts();
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(joined(tokenizer.encode(texts[i])), expected[i]);
}

TEST(GgufTokenizer, WithGpt2RulesEqualsItsTokenizerJsonWithoutAFirstSpace) {
  json file = json::parse(slurp(golden_path("gpt2_style.json")));
  file["pre_tokenizer"]["add_prefix_space"] = false;
  const Tokenizer expected = Tokenizer::from_files({.tokenizer_json = file.dump()}, "test");

  const Tokenizer tokenizer = Tokenizer::from_gguf(vocabulary_of("gpt2_style", "gpt-2"), "model.gguf");

  for (const std::string& text : golden_texts()) EXPECT_EQ(tokenizer.encode(text), expected.encode(text));
}

TEST(GgufTokenizer, ReadsEverythingOfTheDefaultModel) {
  LATHE_NEEDS_DEFAULT_MODEL();

  const Tokenizer tokenizer = load_tokenizer(*default_model());

  EXPECT_EQ(tokenizer.vocab_size(), 49152);
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_THAT(tokenizer.eos_ids(), ElementsAre(2));
  EXPECT_TRUE(tokenizer.is_special(16));
  EXPECT_FALSE(tokenizer.is_special(17));
  EXPECT_THAT(tokenizer.chat_template(), HasSubstr("<|im_start|>"));
  EXPECT_EQ(tokenizer.encode("Hello 123"), tokenizer.encode("Hello 123", {.add_special_tokens = false}));
}

TEST(GgufTokenizer, WritesFilesThatReadBackTheSame) {
  GgufVocabulary vocabulary = vocabulary_of("llama3_style", "llama-bpe");
  vocabulary.bos_id = 2000;
  vocabulary.eos_id = 2001;
  vocabulary.more_eos_ids = {2004};
  vocabulary.chat_template = "{{ messages }}";
  const Tokenizer first = Tokenizer::from_gguf(vocabulary, "model.gguf");

  const Tokenizer second = Tokenizer::from_files(first.files(), "folder");

  EXPECT_EQ(second.bos_id(), 2000);
  EXPECT_THAT(second.eos_ids(), ElementsAre(2001, 2004));
  EXPECT_EQ(second.chat_template(), "{{ messages }}");
  EXPECT_EQ(second.vocab_size(), first.vocab_size());
  for (const std::string& text : golden_texts()) EXPECT_EQ(second.encode(text), first.encode(text));
}

TEST(GgufTokenizer, RefusesToGuessUnknownRules) {
  for (const char* pre : {"", "tekken", "kimi-k2"}) {
    const std::string failure = failure_of(vocabulary_of("gpt2_style", pre));
    EXPECT_THAT(failure, HasSubstr(std::string("got \"") + pre + "\""));
    EXPECT_THAT(failure, HasSubstr("one of smollm, gpt-2"));
  }
}

TEST(GgufTokenizer, SaysWhatIsWrongWithAVocabulary) {
  const GgufVocabulary good = vocabulary_of("gpt2_style", "gpt-2");
  const auto with = [&good](auto change) {
    GgufVocabulary vocabulary = good;
    change(vocabulary);
    return failure_of(vocabulary);
  };

  EXPECT_EQ(failure_of(good), "it opened");
  EXPECT_THAT(with([](auto& v) { v.model = "bert"; }), HasSubstr("got \"bert\""));
  EXPECT_THAT(with([](auto& v) { v.tokens[7] = v.tokens[8]; }), HasSubstr("is there twice"));
  EXPECT_THAT(with([](auto& v) { v.tokens[300] = "\xFF\xFE"; }), HasSubstr("not UTF-8"));
  EXPECT_THAT(with([](auto& v) { v.tokens.clear(), v.types.clear(); }), HasSubstr("holds no tokens"));
  EXPECT_THAT(with([](auto& v) { v.types.pop_back(); }), HasSubstr("tokenizer.ggml.token_type does not fit"));
  EXPECT_THAT(with([](auto& v) { v.merges.clear(); }), HasSubstr("the merges are missing"));
  EXPECT_THAT(with([](auto& v) { v.merges[3] = "nospace"; }), HasSubstr("a merge is not one of two tokens"));
  EXPECT_THAT(with([](auto& v) { v.merges[3] = "\xFF \xFE"; }), HasSubstr("vocabulary lacks"));
  EXPECT_THAT(with([](auto& v) { v.bos_id = 2000, v.add_bos = true; }), HasSubstr("got 2000"));
  EXPECT_THAT(with([](auto& v) { v.eos_id = -1; }), HasSubstr("got -1"));
  EXPECT_THAT(with([](auto& v) { v.chat_template = "\xFF"; }), HasSubstr("not UTF-8"));
}

}  // namespace
}  // namespace lathe
