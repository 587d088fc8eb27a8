#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "model/data/error.h"
#include "tests/corpus/bad_file.h"
#include "tests/io/tokenizer_goldens.h"

namespace lathe {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(TokenizerJson, WithAPatternThatBacktracksWithoutEndFailsTheTextOnly) {
  json file = json::parse(slurp(golden_path("gpt2_style.json")));
  for (const char* pattern : {"(a+)+$", "(a|aa)+$", R"((a+)+\1$)"}) {
    const json split = {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}};
    const json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
    file["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}};
    const Tokenizer tokenizer = Tokenizer::from_files({.tokenizer_json = file.dump()}, "tokenizer.json");

    try {
      tokenizer.encode(std::string(5000, 'a') + "!");
      FAIL() << pattern << " found an end";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Regex);
      EXPECT_THAT(error.what(), HasSubstr("gave up on a text of 5001 bytes"));
    }
    EXPECT_EQ(tokenizer.decode(tokenizer.encode("xyz")), "xyz");
  }
}

TEST(TokenizerJson, WithRandomDamageOpensOrGetsASentence) {
  std::mt19937 random(7);
  const auto below = [&random](std::size_t end) { return static_cast<std::size_t>(random()) % end; };
  const std::string pieces = "\"{}[]:,0\x01\xFF-1e9nulltrue\\u";
  for (const char* style : {"llama3_style", "gpt2_style", "mixed_style"}) {
    const std::string good = slurp(golden_path(std::string(style) + ".json"));
    // The rules are in the first part, the vocabulary and the merges in the rest.
    const std::size_t rules = good.find("\"vocab\"");
    for (int round = 0; round < 150; ++round) {
      std::string damaged = good;
      for (std::size_t count = 1 + below(3); count > 0; --count) {
        const std::size_t at = below(round % 2 == 0 ? rules : damaged.size());
        if (below(3) == 0) damaged.erase(at, 1 + below(20));
        if (below(2) == 0) damaged.insert(std::min(at, damaged.size()), 1, pieces[below(pieces.size())]);
        damaged[std::min(at, damaged.size() - 1)] = pieces[below(pieces.size())];
      }
      try {
        const Tokenizer tokenizer = Tokenizer::from_files({.tokenizer_json = damaged}, "tokenizer.json");
        tokenizer.decode(tokenizer.encode("Hello, wörld 123 <mask> tag\r\n"));
      } catch (const Error& error) {
        EXPECT_FALSE(std::string(error.what()).empty());
      }
    }
  }
}

/// Opens or is refused; anything else ends the test program.
void open_and_use(const std::string& tokenizer_model) {
  try {
    const Tokenizer tokenizer = Tokenizer::from_files({.tokenizer_model = tokenizer_model}, "tokenizer.model");
    tokenizer.decode(tokenizer.encode("Hello, wörld 123 abc\r\n"));
  } catch (const Error& error) {
    EXPECT_NE(error.code(), ErrorCode::Failed);
  }
}

TEST(TokenizerModel, CutAnywhereOrWithAnyBitFlippedOpensOrGetsASentence) {
  const std::vector<BadFile> corpus = sentencepiece_corpus();
  for (const char* seed : {"sentencepiece/47_charsmap_with_wild_offsets", "sentencepiece/51_good"}) {
    const auto file = std::find_if(corpus.begin(), corpus.end(), [&](const BadFile& f) { return f.name == seed; });
    ASSERT_NE(file, corpus.end());
    const TempFolder folder;
    file->write(folder.path());
    const std::string good = slurp(folder.path() / "tokenizer.model");

    for (std::size_t size = 0; size < good.size(); ++size) open_and_use(good.substr(0, size));
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
      std::string flipped = good;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      open_and_use(flipped);
    }
  }
}

}  // namespace
}  // namespace lathe
