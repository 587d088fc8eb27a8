#include "model/io/tokenizer_gguf.h"

#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/io/gguf_pre_tokenizers.h"
#include "model/io/tokenizer_parts.h"
#include "model/io/tokenizer_sentencepiece.h"

namespace lathe {

namespace {

using nlohmann::json;

constexpr int kControl = 3, kUserDefined = 4;  // GGUF's token types that are found in text by their spelling

void check_vocabulary(const GgufVocabulary& vocabulary, const std::string& source) {
  const std::size_t count = vocabulary.tokens.size();
  if (vocabulary.model != "gpt2" && vocabulary.model != "llama") {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = "the tokenizer's model is not supported",
                 .where = text("tokenizer.ggml.model of ", source),
                 .got = text("\"", vocabulary.model.substr(0, 100), "\""),
                 .expected = "\"gpt2\" (byte-level BPE) or \"llama\" (sentencepiece)",
                 .hint = "open the original Hugging Face folder"});
  }
  const auto check_count = [&](const char* key, std::size_t got, bool is_needed) {
    if (got == count || (got == 0 && !is_needed)) return;
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = text("tokenizer.ggml.", key, " does not fit the tokens"),
                 .where = source,
                 .got = text(got, " entries"),
                 .expected = text(count),
                 .hint = "convert the model again"});
  };
  const bool is_llama = vocabulary.model == "llama";
  check_count("token_type", vocabulary.types.size(), is_llama);
  if (is_llama) check_count("scores", vocabulary.scores.size(), true);
  if (!is_llama && vocabulary.merges.empty()) {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = "the merges are missing, without which text would get wrong ids",
                 .where = text("tokenizer.ggml.merges of ", source),
                 .got = "none",
                 .expected = "a list of pairs",
                 .hint = "convert the model again, or open the original Hugging Face folder"});
  }
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
    if (tokens.emplace(vocabulary.tokens[id], id).second) continue;
    throw Error({.code = ErrorCode::DuplicateKey,
                 .what = text("token \"", vocabulary.tokens[id].substr(0, 100), "\" is there twice"),
                 .where = source,
                 .got = text("id ", id, " once more"),
                 .expected = "each token once",
                 .hint = "convert the model again"});
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
  if (id < 0 || id >= static_cast<std::int64_t>(vocabulary.tokens.size())) {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = "the id of a special token is not in the vocabulary",
                 .where = source,
                 .got = text(id),
                 .expected = text("0 to ", static_cast<std::int64_t>(vocabulary.tokens.size()) - 1),
                 .hint = "convert the model again"});
  }
  return vocabulary.tokens[static_cast<std::size_t>(id)];
}

/// Puts the bos before and the eos after each text, where the file asks for it.
json post_processor_json(const GgufVocabulary& vocabulary, bool adds_bos, const std::string& source) {
  json single = json::array(), special = json::object();
  const auto put = [&](bool wanted, const std::optional<std::int32_t>& id) {
    if (!wanted || !id) return;
    const std::string& token = token_at(vocabulary, *id, source);
    single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
    special[token] = {{"id", token}, {"ids", {*id}}, {"tokens", {token}}};
  };
  const json first = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
             second = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  put(vocabulary.add_bos.value_or(adds_bos), vocabulary.bos_id);
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

/// Byte-level BPE, by way of the tokenizer.json that says the same.
Tokenizer::Parts byte_level_parts(const GgufVocabulary& vocabulary, const std::string& source) {
  const GgufRules rules = gguf_rules(vocabulary.pre, source);
  const json decoder = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  const json file = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added_tokens_json(vocabulary)},
                     {"normalizer", rules.normalizer},
                     {"pre_tokenizer", rules.pre_tokenizer},
                     {"post_processor", post_processor_json(vocabulary, rules.adds_bos, source)},
                     {"decoder", decoder},
                     {"model", model_json(vocabulary, rules.ignore_merges, source)}};
  Tokenizer::Parts parts = read_tokenizer_json(file, source);
  parts.files.tokenizer_json = file.dump(1);
  return parts;
}

Tokenizer::Parts sentencepiece_parts(const GgufVocabulary& vocabulary, const std::string& source) {
  SentencePieceModel model;
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::int32_t type = vocabulary.types[id];
    if (type < 1 || type > 6) {
      throw Error({.code = ErrorCode::Tokenizer,
                   .what = text("token ", id, " is of an unknown type"),
                   .where = text("tokenizer.ggml.token_type of ", source),
                   .got = text(type),
                   .expected = "1 to 6",
                   .hint = "convert the model again"});
    }
    const auto kind = static_cast<SentencePiece::Kind>(type);
    model.pieces.push_back({vocabulary.tokens[id], vocabulary.scores[id], kind});
    model.byte_fallback |= kind == SentencePiece::Kind::Byte;
  }
  model.normalizer.add_dummy_prefix = vocabulary.add_space_prefix.value_or(true);
  model.normalizer.remove_extra_whitespaces = false;
  if (vocabulary.remove_extra_whitespaces.value_or(false)) {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = "a tokenizer that removes spaces is not supported",
                 .where = text("tokenizer.ggml.remove_extra_whitespaces of ", source),
                 .got = "true",
                 .expected = "false",
                 .hint = "open the original Hugging Face folder"});
  }
  for (const auto& id : {vocabulary.bos_id, vocabulary.eos_id}) {
    if (id) token_at(vocabulary, *id, source);
  }
  const SentencePieceUse use{.bos_id = vocabulary.bos_id,
                             .eos_id = vocabulary.eos_id,
                             .add_bos = vocabulary.add_bos.value_or(true),
                             .add_eos = vocabulary.add_eos.value_or(false),
                             .finds_user_defined_first = true};
  Tokenizer::Parts parts = parts_of_sentencepiece(model, use, source);
  parts.files.tokenizer_json = sentencepiece_as_json(model, parts).dump(1);
  return parts;
}

}  // namespace

Tokenizer::Parts parts_of_gguf(const GgufVocabulary& vocabulary, const std::string& source) {
  check_vocabulary(vocabulary, source);
  try {
    Tokenizer::Parts parts =
        vocabulary.model == "llama" ? sentencepiece_parts(vocabulary, source) : byte_level_parts(vocabulary, source);
    parts.files.tokenizer_config_json = config_json(vocabulary, source).dump(2) + "\n";
    parts.files.generation_config_json = generation_json(vocabulary);
    read_tokenizer_config(parts, source);
    return parts;
  } catch (const json::exception&) {
    throw Error({.code = ErrorCode::Utf8,
                 .what = "a token, a merge or the chat template is not UTF-8",
                 .where = source,
                 .got = "other bytes",
                 .expected = "UTF-8",
                 .hint = "convert the model again"});
  }
}

Tokenizer Tokenizer::from_gguf(const GgufVocabulary& vocabulary, const std::string& source) {
  return Tokenizer(std::make_shared<const Parts>(parts_of_gguf(vocabulary, source)));
}

}  // namespace lathe
