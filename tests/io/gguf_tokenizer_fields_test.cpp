#include "model/io/gguf_tokenizer_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/data/error.h"
#include "model/io/gguf.h"
#include "tests/io/default_model.h"

namespace lathe {
namespace {

using testing::ElementsAre;

template <typename T>
T field(const GgufFields& fields, const std::string& key) {
  for (const auto& [name, value] : fields) {
    if (name == "tokenizer." + key) return std::get<T>(value);
  }
  ADD_FAILURE() << "no " << key;
  return {};
}

using Strings = std::vector<std::string>;
using Numbers = std::vector<std::int32_t>;

TEST(GgufTokenizerFields, AreThoseThatTheDefaultModelCameWith) {
  const auto path = default_model();
  if (path.empty()) GTEST_SKIP() << "the default model was not fetched";
  const GgufFile file(path);
  const auto original = [&](const char* key) {
    const auto* strings = file.strings(key);
    return Strings(strings->begin(), strings->end());
  };
  const auto& tokens = *file.strings("tokenizer.ggml.tokens");

  const GgufFields fields = gguf_tokenizer_fields(load_tokenizer(path).files(), std::ssize(tokens));

  EXPECT_EQ(field<std::string>(fields, "ggml.model"), "gpt2");
  EXPECT_EQ(field<std::string>(fields, "ggml.pre"), *file.string("tokenizer.ggml.pre"));
  EXPECT_TRUE(field<Strings>(fields, "ggml.tokens") == original("tokenizer.ggml.tokens"));
  EXPECT_TRUE(field<Strings>(fields, "ggml.merges") == original("tokenizer.ggml.merges"));
  const auto types = *file.integers("tokenizer.ggml.token_type");
  EXPECT_TRUE(field<Numbers>(fields, "ggml.token_type") == Numbers(types.begin(), types.end()));
  EXPECT_EQ(field<std::uint32_t>(fields, "ggml.eos_token_id"), file.integer("tokenizer.ggml.eos_token_id"));
  EXPECT_EQ(field<std::uint32_t>(fields, "ggml.bos_token_id"), file.integer("tokenizer.ggml.bos_token_id"));
  EXPECT_FALSE(field<bool>(fields, "ggml.add_bos_token"));
  EXPECT_EQ(field<std::string>(fields, "chat_template"), *file.string("tokenizer.chat_template"));
}

constexpr const char* kCharacters = R"({"added_tokens":[{"id":1,"content":"<s>","special":true}],
  "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{}}]},
  "model":{"type":"BPE","byte_fallback":true,"unk_token":"<unk>",
    "vocab":{"<unk>":0,"<s>":1,"<0x0A>":2,"a":3,"b":4,"ab":5,"aba":6},"merges":["a b",["ab","a"]]}})";

TEST(GgufTokenizerFields, GiveEarlierMergesHigherScores) {
  const TokenizerFiles files{.tokenizer_json = kCharacters, .tokenizer_config_json = R"({"bos_token":"<s>"})"};

  const GgufFields fields = gguf_tokenizer_fields(files, 8);

  EXPECT_EQ(field<std::string>(fields, "ggml.model"), "llama");
  EXPECT_THAT(field<Strings>(fields, "ggml.tokens"),
              ElementsAre("<unk>", "<s>", "<0x0A>", "a", "b", "ab", "aba", "[PAD7]"));
  EXPECT_THAT(field<Numbers>(fields, "ggml.token_type"), ElementsAre(2, 3, 6, 1, 1, 1, 1, 5));
  EXPECT_THAT(field<std::vector<float>>(fields, "ggml.scores"), ElementsAre(0, 0, 0, 0, 0, -1, -2, 0));
  EXPECT_TRUE(field<bool>(fields, "ggml.add_bos_token"));
}

ErrorCode refusal(const std::string& tokenizer_json, std::int64_t rows = 8) {
  try {
    gguf_tokenizer_fields({.tokenizer_json = tokenizer_json}, rows);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::Failed;
}

TEST(GgufTokenizerFields, RefuseWhatLlamaCppHasNoNameFor) {
  EXPECT_EQ(refusal(R"({"model":{"type":"Unigram"}})"), ErrorCode::Tokenizer);
  EXPECT_EQ(refusal(R"({"pre_tokenizer":{"type":"Whitespace"},"model":{"type":"BPE","vocab":{},"merges":[]}})"),
            ErrorCode::Tokenizer);
  EXPECT_EQ(refusal(kCharacters, 6), ErrorCode::Tokenizer) << "a token without a row of embeddings";
  EXPECT_EQ(refusal("[]"), ErrorCode::Tokenizer);
  EXPECT_EQ(refusal(R"({"model":{"type":"BPE","vocab":[],"merges":3}})"), ErrorCode::Tokenizer);
}

}  // namespace
}  // namespace lathe
