#include "model/io/tokenizer_gguf.h"

#include <array>
#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/io/tokenizer_parts.h"

namespace lathe {

namespace {

using nlohmann::json;

constexpr int kControl = 3, kUserDefined = 4;  // GGUF's token types that are found in text by their spelling

/// A GGUF file names its pre-tokenizer and leaves out the rules, which tokenizer.json spells out.
struct NamedRules {
  const char* name;
  const char* pre_tokenizer;
  bool is_llama3;
};

constexpr const char* kGpt2Rules = R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
  "use_regex": true})";
constexpr const char* kSmolLmRules = R"({"type": "Sequence", "pretokenizers": [
  {"type": "Digits", "individual_digits": true},
  {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]})";
constexpr const char* kLlama3Rules = R"json({"type": "Sequence", "pretokenizers": [
  {"type": "Split", "behavior": "Isolated", "invert": false, "pattern": {"Regex":
   "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
  {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]})json";

constexpr std::array<NamedRules, 6> kRules{{{"smollm", kSmolLmRules, false},
                                            {"gpt-2", kGpt2Rules, false},
                                            {"gpt2", kGpt2Rules, false},
                                            {"llama-bpe", kLlama3Rules, true},
                                            {"llama3", kLlama3Rules, true},
                                            {"llama-v3", kLlama3Rules, true}}};

const NamedRules& rules_named(const std::string& pre, const std::string& source) {
  std::string known;
  for (const NamedRules& rules : kRules) {
    if (pre == rules.name) return rules;
    known += (known.empty() ? "" : ", ") + std::string(rules.name);
  }
  throw Error(text("[tokenizer] pre-tokenizer \"", pre,
                   "\" (tokenizer.ggml.pre) is not supported, and a guess would give ", "wrong ids; supported are ",
                   known, "; the original Hugging Face folder may say more; file: ", source));
}

void check_vocabulary(const GgufVocabulary& vocabulary, const std::string& source) {
  check(vocabulary.model == "gpt2", "[tokenizer] model \"", vocabulary.model, "\" (tokenizer.ggml.model) is not ",
        "supported; supported is \"gpt2\", byte-level BPE; file: ", source);
  check(vocabulary.types.empty() || vocabulary.types.size() == vocabulary.tokens.size(), "[tokenizer] ",
        vocabulary.types.size(), " token types for ", vocabulary.tokens.size(), " tokens; file: ", source);
  check(!vocabulary.merges.empty(), "[tokenizer] the merges (tokenizer.ggml.merges) are missing, without which text ",
        "would get wrong ids; convert the model again, or open the original Hugging Face folder; file: ", source);
}

json added_tokens_json(const GgufVocabulary& vocabulary) {
  json list = json::array();
  for (std::size_t id = 0; id < vocabulary.types.size(); ++id) {
    const int type = vocabulary.types[id];
    if (type != kControl && type != kUserDefined) continue;
    list.push_back({{"id", id},
                    {"content", vocabulary.tokens[id]},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", type == kControl}});
  }
  return list;
}

json model_json(const GgufVocabulary& vocabulary, bool ignore_merges, const std::string& source) {
  json tokens = json::object();
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const bool is_new = tokens.emplace(vocabulary.tokens[id], id).second;
    check(is_new, "[tokenizer] token ", id, " \"", vocabulary.tokens[id].substr(0, 100),
          "\" is there twice; file: ", source);
  }
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"fuse_unk", false},
          {"end_of_word_suffix", nullptr},
          {"byte_fallback", false},
          {"ignore_merges", ignore_merges},
          {"vocab", std::move(tokens)},
          {"merges", vocabulary.merges}};
}

const std::string& token_at(const GgufVocabulary& vocabulary, std::int64_t id, const std::string& source) {
  check(id >= 0 && id < static_cast<std::int64_t>(vocabulary.tokens.size()), "[tokenizer] special token id ", id,
        " is not in the vocabulary of ", vocabulary.tokens.size(), "; file: ", source);
  return vocabulary.tokens[static_cast<std::size_t>(id)];
}

/// Puts the bos before and the eos after each text, where the file asks for it. Llama-3 adds its bos unless told not
/// to.
json post_processor_json(const GgufVocabulary& vocabulary, bool is_llama3, const std::string& source) {
  json single = json::array(), special = json::object();
  const auto put = [&](bool wanted, const std::optional<std::int32_t>& id) {
    if (!wanted || !id) return;
    const std::string& token = token_at(vocabulary, *id, source);
    single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
    special[token] = {{"id", token}, {"ids", {*id}}, {"tokens", {token}}};
  };
  const json first = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
             second = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  put(vocabulary.add_bos.value_or(is_llama3), vocabulary.bos_id);
  single.push_back(first);
  put(vocabulary.add_eos.value_or(false), vocabulary.eos_id);
  if (special.empty()) return nullptr;
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", {first, second}}, {"special_tokens", special}};
}

json config_json(const GgufVocabulary& vocabulary, const std::string& source) {
  json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  const auto put = [&](const char* key, const std::optional<std::int32_t>& id) {
    if (id) config[key] = token_at(vocabulary, *id, source);
  };
  put("bos_token", vocabulary.bos_id);
  put("eos_token", vocabulary.eos_id);
  put("unk_token", vocabulary.unknown_id);
  put("pad_token", vocabulary.padding_id);
  if (!vocabulary.chat_template.empty()) config["chat_template"] = vocabulary.chat_template;
  return config;
}

std::string generation_json(const GgufVocabulary& vocabulary) {
  if (!vocabulary.eos_id) return {};
  json ids = {*vocabulary.eos_id};
  for (const std::int32_t id : vocabulary.more_eos_ids) ids.push_back(id);
  json config = {{"eos_token_id", ids}};
  if (vocabulary.bos_id) config["bos_token_id"] = *vocabulary.bos_id;
  return config.dump(2) + "\n";
}

}  // namespace

GgufVocabulary gguf_vocabulary(const GgufFile& file) {
  const auto text_of = [&](const char* key) { return std::string(file.string(key).value_or("")); };
  const auto texts_of = [&](const char* key) {
    const auto* texts = file.strings(key);
    return texts == nullptr ? std::vector<std::string>() : std::vector<std::string>(texts->begin(), texts->end());
  };
  const auto id_of = [&](const char* key) {
    const auto id = file.integer(key);
    check(!id || (*id >= 0 && *id < Vocabulary::kMaxTokens), "[tokenizer] ", key, " is ", id.value_or(0),
          "; file: ", file.path().string());
    return id ? std::optional(static_cast<std::int32_t>(*id)) : std::nullopt;
  };
  GgufVocabulary result{.model = text_of("tokenizer.ggml.model"),
                        .pre = text_of("tokenizer.ggml.pre"),
                        .tokens = texts_of("tokenizer.ggml.tokens"),
                        .types = {},
                        .merges = texts_of("tokenizer.ggml.merges"),
                        .bos_id = id_of("tokenizer.ggml.bos_token_id"),
                        .eos_id = id_of("tokenizer.ggml.eos_token_id"),
                        .unknown_id = id_of("tokenizer.ggml.unknown_token_id"),
                        .padding_id = id_of("tokenizer.ggml.padding_token_id"),
                        .more_eos_ids = {},
                        .add_bos = file.boolean("tokenizer.ggml.add_bos_token"),
                        .add_eos = file.boolean("tokenizer.ggml.add_eos_token"),
                        .chat_template = text_of("tokenizer.chat_template")};
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (const auto id = id_of(key)) result.more_eos_ids.push_back(*id);
  }
  for (const std::int64_t type : file.integers("tokenizer.ggml.token_type").value_or(std::vector<std::int64_t>())) {
    result.types.push_back(static_cast<std::int32_t>(type));
  }
  return result;
}

Tokenizer Tokenizer::from_gguf(const GgufVocabulary& vocabulary, const std::string& source) {
  check_vocabulary(vocabulary, source);
  const NamedRules& rules = rules_named(vocabulary.pre, source);
  const json file = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added_tokens_json(vocabulary)},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", json::parse(rules.pre_tokenizer)},
                     {"post_processor", post_processor_json(vocabulary, rules.is_llama3, source)},
                     {"decoder", json::parse(kGpt2Rules)},
                     {"model", model_json(vocabulary, /*ignore_merges=*/rules.is_llama3, source)}};
  auto parts = std::make_shared<Parts>(read_tokenizer_json(file, source));
  try {
    parts->files.tokenizer_json = file.dump(1);
    parts->files.tokenizer_config_json = config_json(vocabulary, source).dump(2) + "\n";
  } catch (const json::exception&) {
    throw Error(text("[tokenizer] a token, a merge or the chat template is not UTF-8; file: ", source));
  }
  parts->files.generation_config_json = generation_json(vocabulary);
  read_tokenizer_config(*parts, source);
  return Tokenizer(std::move(parts));
}

}  // namespace lathe
