#include <gtest/gtest.h>

#include "model/io/utf8.h"
#include "tests/io/tokenizer_goldens.h"

namespace lathe {
namespace {

/// A tokenizer of the golden set by name.
Tokenizer golden_tokenizer(const std::string& name) {
  return name == "smollm2" ? load_tokenizer(*default_model()) : small_tokenizer(name);
}

class TokenizerGoldens : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "smollm2") LATHE_NEEDS_DEFAULT_MODEL();
  }
};

TEST_P(TokenizerGoldens, GiveTheIdsOfTheReference) {
  const Tokenizer tokenizer = golden_tokenizer(GetParam());
  const std::vector<std::string> texts = golden_texts();
  const std::vector<std::string> expected = lines_of(slurp(golden_path(GetParam() + ".ids")));
  ASSERT_GE(texts.size(), 2000);
  ASSERT_EQ(texts.size(), expected.size());

  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(joined(tokenizer.encode(texts[i])), expected[i]) << "text " << i << ": " << texts[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Styles, TokenizerGoldens,
                         testing::Values("smollm2", "llama3_style", "gpt2_style", "mixed_style"),
                         [](const auto& suite) { return suite.param; });

/// Encodes and decodes, with nothing added or left out.
std::string there_and_back(const Tokenizer& tokenizer, const std::string& text) {
  return tokenizer.decode(tokenizer.encode(text, {.add_special_tokens = false}), {.skip_special_tokens = false});
}

TEST(TokenizerRoundTrip, KeepsEveryTextInALlama3Style) {
  const Tokenizer tokenizer = small_tokenizer("llama3_style");

  for (const std::string& text : golden_texts()) EXPECT_EQ(there_and_back(tokenizer, text), repair_utf8(text).text);
}

TEST(TokenizerRoundTrip, AddsNothingButAFirstSpaceInAGpt2Style) {
  const Tokenizer tokenizer = small_tokenizer("gpt2_style");

  for (const std::string& text : golden_texts()) {
    if (text.find("<|endoftext|>") != std::string::npos) continue;  // what follows it is a text of its own
    const std::string valid = repair_utf8(text).text;
    EXPECT_EQ(there_and_back(tokenizer, text), valid.starts_with(' ') ? valid : " " + valid);
  }
}

TEST(TokenizerRoundTrip, KeepsWhatTheDefaultModelHasBytesFor) {
  LATHE_NEEDS_DEFAULT_MODEL();
  const Tokenizer tokenizer = load_tokenizer(*default_model());
  // Its vocabulary has no token for these bytes and so drops them.
  const std::string missing = "\x04\x06\x13\x14\x16\x1d\xf1\xf2";

  for (const std::string& text : golden_texts()) {
    std::string bytes = repair_utf8(text).text;
    std::erase_if(bytes, [&](char byte) { return missing.find(byte) != std::string::npos; });
    EXPECT_EQ(there_and_back(tokenizer, text), repair_utf8(bytes).text);
  }
}

}  // namespace
}  // namespace lathe
