#include "model/io/gguf_pre_tokenizers.h"

#include <array>
#include <vector>

#include "model/data/error.h"

namespace lathe {

namespace {

using nlohmann::json;

constexpr const char* kGpt2Words = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3Words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2Words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kDeepSeek3Words =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Letters with a case, as the first DeepSeek models list them, and their other runs.
constexpr const char* kCasedWords =
    "\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376"
    "\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-"
    "\u0556"
    "\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-"
    "\u1f15"
    "\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-"
    "\u1fbc\u1fbe"
    "\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-"
    "\u2113"
    "\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184"
    "\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-"
    "\ua78e"
    "\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3"
    "\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943]+";
constexpr const char* kSigns = "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+";
constexpr const char* kIdeographs = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+";
constexpr const char* kIdeographsAndKana = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";

json byte_level(bool cuts) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", cuts}};
}

json split(const char* pattern) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
}

json digits() { return {{"type", "Digits"}, {"individual_digits", true}}; }

json in_turn(const json& stages) { return {{"type", "Sequence"}, {"pretokenizers", stages}}; }

GgufRules gpt2() { return {.normalizer = nullptr, .pre_tokenizer = byte_level(true)}; }

GgufRules smollm() { return {.normalizer = nullptr, .pre_tokenizer = in_turn({digits(), byte_level(true)})}; }

GgufRules llama3() {
  return {.normalizer = nullptr,
          .pre_tokenizer = in_turn({split(kLlama3Words), byte_level(false)}),
          .ignore_merges = true,
          .adds_bos = true};
}

GgufRules qwen2() {
  return {.normalizer = {{"type", "NFC"}}, .pre_tokenizer = in_turn({split(kQwen2Words), byte_level(false)})};
}

GgufRules deepseek_llm() {
  return {.normalizer = nullptr,
          .pre_tokenizer = in_turn({split("[\r\n]"), split(kCasedWords), split(kSigns), split("\\s+$"),
                                    split(kIdeographs), digits(), byte_level(false)})};
}

GgufRules deepseek_coder() {
  return {.normalizer = nullptr,
          .pre_tokenizer = in_turn({split("[\r\n]"), split("\\s?\\p{L}+"), split("\\s?\\p{P}+"), split(kIdeographs),
                                    digits(), byte_level(false)})};
}

GgufRules deepseek_v3() {
  return {.normalizer = nullptr,
          .pre_tokenizer =
              in_turn({split("\\p{N}{1,3}"), split(kIdeographsAndKana), split(kDeepSeek3Words), byte_level(false)})};
}

GgufRules glm4() { return {.normalizer = nullptr, .pre_tokenizer = in_turn({split(kLlama3Words), byte_level(false)})}; }

/// What a converter writes that did not know the model.
GgufRules unnamed() {
  return {.normalizer = nullptr,
          .pre_tokenizer = in_turn({split("[\\p{P}\\$\\+<=>\\^~\\|]+"), split(kGpt2Words), split("\\p{N}+"),
                                    split("[0-9][0-9][0-9]"), byte_level(false)})};
}

struct Named {
  const char* name;
  GgufRules (*rules)();
};

constexpr std::array<Named, 14> kNamed{{{"smollm", smollm},
                                        {"gpt-2", gpt2},
                                        {"gpt2", gpt2},
                                        {"llama-bpe", llama3},
                                        {"llama3", llama3},
                                        {"llama-v3", llama3},
                                        {"qwen2", qwen2},
                                        {"deepseek-r1-qwen", qwen2},
                                        {"deepseek-llm", deepseek_llm},
                                        {"deepseek-coder", deepseek_coder},
                                        {"deepseek-v3", deepseek_v3},
                                        {"chatglm-bpe", glm4},
                                        {"glm4", glm4},
                                        {"default", unnamed}}};

}  // namespace

GgufRules gguf_rules(const std::string& pre, const std::string& source) {
  std::string known;
  for (const Named& named : kNamed) {
    if (pre == named.name) return named.rules();
    known += (known.empty() ? "" : ", ") + std::string(named.name);
  }
  throw Error({.code = ErrorCode::Tokenizer,
               .what = "the pre-tokenizer is not supported, and a guess would give wrong ids",
               .where = text("tokenizer.ggml.pre of ", source),
               .got = text("\"", pre.substr(0, 100), "\""),
               .expected = "one of " + known,
               .hint = "open the original Hugging Face folder"});
}

}  // namespace lathe
