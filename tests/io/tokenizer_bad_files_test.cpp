#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "model/data/error.h"
#include "tests/io/tokenizer_goldens.h"

namespace lathe {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// A change to a good tokenizer.json, and a part of the message that it must get.
struct BadTokenizer {
  std::string name;
  std::function<void(json&)> change;
  std::string message;
};

void PrintTo(const BadTokenizer& bad, std::ostream* out) { *out << bad.name; }

std::string failure_of(const TokenizerFiles& files) {
  try {
    Tokenizer::from_files(files, "tokenizer.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "it opened";
}

json added(std::int64_t id, const std::string& content) {
  return {{"id", id}, {"content", content}, {"special", true}, {"normalized", false}};
}

json split_at(const std::string& pattern, const std::string& behavior = "Isolated") {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", behavior}, {"invert", false}};
}

json in_sequence(const json& stage) {
  return {{"type", "Sequence"},
          {"pretokenizers", {stage, {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
}

json template_with(const json& single, const json& special) {
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", json::array()}, {"special_tokens", special}};
}

const std::vector<BadTokenizer>& bad_tokenizers() {
  static const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  static const json token = {{"SpecialToken", {{"id", "x"}, {"type_id", 0}}}};
  static const std::vector<BadTokenizer> cases{
      {"NoModel", [](json& t) { t.erase("model"); }, "\"model\" is missing"},
      {"ModelIsAList", [](json& t) { t["model"] = json::array(); }, "expected an object"},
      {"ModelUnigram", [](json& t) { t["model"]["type"] = "Unigram"; }, "model \"Unigram\" is not supported"},
      {"ModelWordPiece", [](json& t) { t["model"]["type"] = "WordPiece"; }, "supported is BPE"},
      {"NoVocab", [](json& t) { t["model"].erase("vocab"); }, "\"vocab\" is not an object"},
      {"EmptyVocab", [](json& t) { t["model"]["vocab"] = json::object(); }, "\"vocab\" is not an object"},
      {"VocabIsAList",
       [](json& t) {
         t["model"]["vocab"] = {1, 2};
       },
       "\"vocab\" is not an object"},
      {"IdTwice", [](json& t) { t["model"]["vocab"]["zzz"] = 5; }, "id 5 is both"},
      {"IdNegative", [](json& t) { t["model"]["vocab"]["zzz"] = -1; }, "has id -1"},
      {"IdTwoToThe31", [](json& t) { t["model"]["vocab"]["zzz"] = 2147483648; }, "has id 2147483648"},
      {"IdTwoToThe64", [](json& t) { t["model"]["vocab"]["zzz"] = 18446744073709551615U; }, "\"zzz\" has id"},
      {"IdAFraction", [](json& t) { t["model"]["vocab"]["zzz"] = 2.5; }, "has id 2.5"},
      {"IdAString", [](json& t) { t["model"]["vocab"]["zzz"] = "7"; }, "expected an integer"},
      {"IdFarAway", [](json& t) { t["model"]["vocab"]["zzz"] = 3'000'000; }, "expected an integer that fits"},
      {"TokenOfTenMegabytes", [](json& t) { t["model"]["vocab"][std::string(10 << 20, 'x')] = 2000; }, "bytes long"},
      {"NoMerges", [](json& t) { t["model"].erase("merges"); }, "\"merges\" is not a list"},
      {"MergeOfOne", [](json& t) { t["model"]["merges"][0] = "a"; }, "expected two tokens"},
      {"MergeOfThree", [](json& t) { t["model"]["merges"][0] = "a b c"; }, "expected two tokens"},
      {"MergeListOfThree",
       [](json& t) {
         t["model"]["merges"][0] = {"a", "b", "c"};
       },
       "expected two tokens"},
      {"MergeOfNumbers",
       [](json& t) {
         t["model"]["merges"][0] = {1, 2};
       },
       "expected two tokens"},
      {"MergeOfUnknown",
       [](json& t) {
         t["model"]["merges"][0] = {"a", "no such"};
       },
       "merge 0 (\"a\" + \"no such\")"},
      {"MergeIntoUnknown",
       [](json& t) {
         t["model"]["merges"][0] = {"q", "q"};
       },
       "token \"qq\" is not in"},
      {"UnknownTokenMissing", [](json& t) { t["model"]["unk_token"] = "<no>"; }, "the unknown token \"<no>\""},
      {"Dropout", [](json& t) { t["model"]["dropout"] = 0.1; }, "dropout"},
      {"DropoutAString", [](json& t) { t["model"]["dropout"] = "0.1"; }, "a finite number"},
      {"Prefix", [](json& t) { t["model"]["continuing_subword_prefix"] = "##"; }, "continuing_subword_prefix"},
      {"Suffix", [](json& t) { t["model"]["end_of_word_suffix"] = "</w>"; }, "end_of_word_suffix"},
      {"IgnoreMergesANumber", [](json& t) { t["model"]["ignore_merges"] = 1; }, "true or false"},
      {"ByteFallback",
       [](json& t) {
         t["model"]["byte_fallback"] = true;
         t["model"]["vocab"].erase("ÿ");
       },
       "byte_fallback"},
      {"AddedTokensNoList", [](json& t) { t["added_tokens"] = 3; }, "a list of objects"},
      {"AddedWithoutContent", [](json& t) { t["added_tokens"].push_back(added(800, "")); }, "has no content"},
      {"AddedTwice", [](json& t) { t["added_tokens"].push_back(added(0, "<|endoftext|>")); }, "is there twice"},
      {"AddedIdOutside", [](json& t) { t["added_tokens"].push_back(added(5000, "<x>")); },
       "by its place it has id 2000"},
      {"AddedIdNegative", [](json& t) { t["added_tokens"].push_back(added(-1, "<x>")); }, "says id -1"},
      {"AddedIdOfAnother", [](json& t) { t["added_tokens"].push_back(added(7, "<x>")); }, "by its place"},
      {"NormalizerUnknown",
       [](json& t) {
         t["normalizer"] = {{"type", "Lowercase"}};
       },
       "\"Lowercase\" is not supported"},
      {"NormalizerPrecompiled",
       [](json& t) {
         t["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", "AAA"}};
       },
       "\"Precompiled\" is not supported; supported are NFC"},
      {"NormalizerInside",
       [](json& t) {
         t["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "Prepend"}}}}};
       },
       "\"Prepend\""},
      {"PreTokenizerNone", [](json& t) { t["pre_tokenizer"] = nullptr; }, "no ByteLevel pre-tokenizer"},
      {"PreTokenizerUnknown",
       [](json& t) {
         t["pre_tokenizer"] = {{"type", "Metaspace"}};
       },
       "\"Metaspace\""},
      {"PreTokenizerEmptySequence",
       [](json& t) {
         t["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", json::array()}};
       },
       "no ByteLevel"},
      {"PreTokenizerAfterBytes",
       [](json& t) {
         t["pre_tokenizer"] = in_sequence({{"type", "ByteLevel"}, {"use_regex", true}});
       },
       "after ByteLevel"},
      {"ByteLevelFlagAString", [](json& t) { t["pre_tokenizer"]["use_regex"] = "yes"; }, "true or false"},
      {"SplitBehavior", [](json& t) { t["pre_tokenizer"] = in_sequence(split_at("a", "Sideways")); }, "\"Sideways\""},
      {"SplitBroken", [](json& t) { t["pre_tokenizer"] = in_sequence(split_at("(a")); }, "cannot be read at byte 2"},
      {"SplitMegabyte", [](json& t) { t["pre_tokenizer"] = in_sequence(split_at(std::string(1 << 20, 'a'))); },
       "expected at most"},
      {"SplitLookbehind", [](json& t) { t["pre_tokenizer"] = in_sequence(split_at("(?<=a+)b")); }, "lookbehind"},
      {"SplitEmptyString",
       [](json& t) {
         json split = split_at("");
         split["pattern"] = {{"String", ""}};
         t["pre_tokenizer"] = in_sequence(split);
       },
       "empty string"},
      {"DecoderNone", [](json& t) { t["decoder"] = nullptr; }, "decoder \"none\""},
      {"DecoderUnknown",
       [](json& t) {
         t["decoder"] = {{"type", "WordPiece"}};
       },
       "decoder \"WordPiece\""},
      {"ProcessorUnknown",
       [](json& t) {
         t["post_processor"] = {{"type", "BertProcessing"}};
       },
       "\"BertProcessing\""},
      {"TemplateIdOutside",
       [](json& t) {
         t["post_processor"] = template_with({token, text}, {{"x", {{"ids", {9999}}}}});
       },
       "has id 9999"},
      {"TemplateIdUnnamed",
       [](json& t) {
         t["post_processor"] = template_with({token, text}, json::object());
       },
       "\"x\" is missing"},
      {"TemplateWithoutText",
       [](json& t) {
         t["post_processor"] = template_with(json::array({token}), {{"x", {{"ids", {1}}}}});
       },
       "holds the text 0 times"},
      {"TemplateTextTwice",
       [](json& t) {
         t["post_processor"] = template_with({text, text}, json::object());
       },
       "2 times"},
  };
  return cases;
}

class BadTokenizerJson : public testing::TestWithParam<BadTokenizer> {};

TEST_P(BadTokenizerJson, GetsASentence) {
  json file = json::parse(slurp(golden_path("gpt2_style.json")));
  GetParam().change(file);

  EXPECT_THAT(failure_of({.tokenizer_json = file.dump()}), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(Named, BadTokenizerJson, testing::ValuesIn(bad_tokenizers()),
                         [](const auto& suite) { return suite.param.name; });

TEST(TokenizerJson, ThatIsNotJsonGetsASentence) {
  const std::string good = slurp(golden_path("gpt2_style.json"));
  std::string twice = good;
  twice.insert(twice.find("\"vocab\":{") + 9, "\"Zürich\":1,\"Zürich\":2,");

  EXPECT_EQ(failure_of({.tokenizer_json = good}), "it opened");
  EXPECT_THAT(failure_of({.tokenizer_json = ""}), HasSubstr("json"));
  EXPECT_THAT(failure_of({.tokenizer_json = "[1]"}), HasSubstr("expected an object"));
  EXPECT_THAT(failure_of({.tokenizer_json = good.substr(0, 3000)}), HasSubstr("parse error"));
  EXPECT_THAT(failure_of({.tokenizer_json = "\xEF\xBB\xBF" + good}), HasSubstr("byte order mark"));
  EXPECT_THAT(failure_of({.tokenizer_json = twice}), HasSubstr("is there twice"));
  EXPECT_THAT(failure_of({.tokenizer_json = std::string(100'000, '[')}), HasSubstr("nested too deeply"));
}

TEST(TokenizerJson, WithAConfigThatDoesNotFitGetsASentence) {
  const auto failure = [](const std::string& config, const std::string& generation = "") {
    TokenizerFiles files{.tokenizer_json = slurp(golden_path("gpt2_style.json"))};
    files.tokenizer_config_json = config;
    files.generation_config_json = generation;
    return failure_of(files);
  };

  EXPECT_THAT(failure(R"({"bos_token": "<no>"})"), HasSubstr("the bos_token \"<no>\" is not in the vocabulary"));
  EXPECT_THAT(failure(R"({"eos_token": 3})"), HasSubstr("expected a string"));
  EXPECT_THAT(failure(R"({"eos_token": {"content": 3}})"), HasSubstr("expected a string"));
  EXPECT_THAT(failure(R"({"chat_template": 3})"), HasSubstr("expected a string"));
  EXPECT_THAT(failure(R"({"chat_template": [3]})"), HasSubstr("expected an object"));
  EXPECT_THAT(failure("{", ""), HasSubstr("tokenizer_config.json"));
  EXPECT_THAT(failure("", R"({"eos_token_id": 99999})"), HasSubstr("eos_token_id 99999"));
  EXPECT_THAT(failure("", R"({"eos_token_id": [1, "2"]})"), HasSubstr("list of integers"));
}

TEST(TokenizerJson, WithAPatternThatBacktracksWithoutEndFailsTheTextOnly) {
  json file = json::parse(slurp(golden_path("gpt2_style.json")));
  for (const char* pattern : {"(a+)+$", "(a|aa)+$", R"((a+)+\1$)"}) {
    file["pre_tokenizer"] = in_sequence(split_at(pattern));
    const Tokenizer tokenizer = Tokenizer::from_files({.tokenizer_json = file.dump()}, "tokenizer.json");

    try {
      tokenizer.encode(std::string(5000, 'a') + "!");
      FAIL() << pattern << " found an end";
    } catch (const Error& error) {
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

}  // namespace
}  // namespace lathe
