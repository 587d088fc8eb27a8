#include <nlohmann/json.hpp>
#include <set>

#include "model/data/error.h"
#include "model/data/json_object.h"
#include "model/io/tokenizer_parts.h"

namespace lathe {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxMerges = 8'000'000;
constexpr std::size_t kMaxAddedTokens = 100'000;
constexpr std::int64_t kMaxIdGap = 100'000;  // ids without a token: padding of the vocabulary

[[noreturn]] void refuse(const std::string& what, const std::string& got, const std::string& expected,
                         const std::string& where) {
  throw Error({.code = ErrorCode::Tokenizer,
               .what = what,
               .where = where,
               .got = got,
               .expected = expected,
               .hint = kSaveTokenizerAgain});
}

std::string shown(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 200);
}

Vocabulary read_vocabulary(const json& model, Spelling spelling, const std::string& where) {
  const auto found = model.find("vocab");
  if (found == model.end() || !found->is_object() || found->empty()) {
    refuse("\"vocab\" holds no tokens", found == model.end() ? "nothing" : found->type_name(),
           "an object of tokens and ids", where);
  }
  Vocabulary result(spelling);
  const auto count = static_cast<std::int64_t>(found->size());
  for (const auto& [token, id] : found->items()) {
    if (!id.is_number_integer() || id > count + kMaxIdGap) {
      refuse(text("the id of token \"", token.substr(0, 100), "\" cannot be"), shown(id),
             text("an integer that fits a vocabulary of ", count, " tokens"), where);
    }
    result.add(token, id.get<std::int64_t>(), where);
  }
  return result;
}

MergeRule read_merge(const json& merge, const std::string& where) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  if (merge.is_string()) {
    const auto& both = merge.get_ref<const std::string&>();
    const std::size_t space = both.find(' ');
    if (space != std::string::npos && both.find(' ', space + 1) == std::string::npos) {
      return {both.substr(0, space), both.substr(space + 1)};
    }
  }
  refuse("a merge is not one of two tokens", shown(merge), "two tokens", where);
}

std::vector<BpeRule> read_rules(const json& model, const Vocabulary& vocabulary, const std::string& where) {
  const auto found = model.find("merges");
  if (found == model.end() || !found->is_array()) {
    refuse("\"merges\" is not a list", found == model.end() ? "nothing" : found->type_name(), "a list of pairs", where);
  }
  if (found->size() > kMaxMerges) {
    throw Error({.code = ErrorCode::Limit,
                 .what = "too many merges",
                 .where = where,
                 .got = text(found->size()),
                 .expected = text("at most ", kMaxMerges),
                 .hint = kSaveTokenizerAgain});
  }
  std::vector<MergeRule> merges;
  merges.reserve(found->size());
  for (const json& merge : *found) merges.push_back(read_merge(merge, where));
  return rules_of_merges(vocabulary, merges, where);
}

Bpe read_bpe(const json& model, const Vocabulary& vocabulary, const std::string& where) {
  JsonObject object(model, where);
  if (object.number("dropout", 0) != 0) {
    refuse("BPE dropout makes ids random and is not supported", shown(model["dropout"]), "none", where);
  }
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (const std::string got = object.string(affix, ""); !got.empty()) {
      refuse(text("BPE ", affix, " is not supported"), text("\"", got.substr(0, 100), "\""), "none", where);
    }
  }
  BpeOptions options{.ignore_merges = object.boolean("ignore_merges", false),
                     .byte_fallback = object.boolean("byte_fallback", false),
                     .fuse_unknown = object.boolean("fuse_unk", false)};
  if (object.has("unk_token")) {
    const std::string unknown = object.string("unk_token");
    options.unknown_id = vocabulary.id_of(unknown);
    if (!options.unknown_id) {
      refuse("the unknown token is not in the vocabulary", text("\"", unknown.substr(0, 100), "\""), "a token", where);
    }
  }
  const bool falls_back = options.byte_fallback;
  Bpe bpe(vocabulary, read_rules(model, vocabulary, where), std::move(options));
  if (falls_back && vocabulary.spelled_as() == Spelling::Bytes && !bpe.covers_all_bytes()) {
    refuse("BPE byte_fallback in a byte-level vocabulary that lacks bytes is not supported", "true", "false", where);
  }
  return bpe;
}

AddedToken read_added_token(JsonObject entry) {
  AddedToken token;
  token.content = entry.string("content");
  if (token.content.empty()) refuse("an added token has no content", "\"\"", "its text", entry.where());
  token.special = entry.boolean("special", false);
  token.single_word = entry.boolean("single_word", false);
  token.lstrip = entry.boolean("lstrip", false);
  token.rstrip = entry.boolean("rstrip", false);
  token.normalized = entry.boolean("normalized", !token.special);
  return token;
}

std::vector<JsonObject> added_token_list(const json& file, const std::string& where) {
  JsonObject object(file, where);
  if (!object.has("added_tokens")) return {};
  std::vector<JsonObject> list = object.objects("added_tokens");
  if (list.size() > kMaxAddedTokens) {
    throw Error({.code = ErrorCode::Limit,
                 .what = "too many added tokens",
                 .where = where,
                 .got = text(list.size()),
                 .expected = text("at most ", kMaxAddedTokens),
                 .hint = kSaveTokenizerAgain});
  }
  return list;
}

/// Added tokens that the model's vocabulary lacks follow it, in the order of the list; their "id" must say the same.
Tokens read_tokens(const json& file, const Normalizer& normalizer, Spelling spelling, const std::string& where) {
  Tokens tokens{.vocabulary = read_vocabulary(file.at("model"), spelling, where), .added = {}, .special = {}};
  std::int64_t next = tokens.vocabulary.count();
  std::set<std::string> seen;
  for (JsonObject& entry : added_token_list(file, where)) {
    AddedToken token = read_added_token(entry);
    const std::string name = text("added token \"", token.content.substr(0, 100), "\"");
    if (!seen.insert(token.content).second) {
      throw Error({.code = ErrorCode::DuplicateKey,
                   .what = name + " is there twice",
                   .where = where,
                   .got = text("a second id ", entry.integer("id")),
                   .expected = "each token once",
                   .hint = kSaveTokenizerAgain});
    }
    const auto known = tokens.vocabulary.id_of(token.content);
    const std::int64_t id = known ? *known : next;
    if (entry.integer("id") != id) {
      refuse(name + " has not the id of its place", text("id ", entry.integer("id")), text("id ", id), where);
    }
    if (!known) tokens.vocabulary.add(token.content, id, where);
    next = std::max(next, id + 1);
    token.id = static_cast<std::int32_t>(id);
    if (token.normalized && !normalizer.is_none()) {
      // From here on `tokenizers` knows the token by its normalized content, as the text will hold it.
      token.content = normalizer(token.content);
      tokens.vocabulary.respell(token.id, token.content);
    }
    tokens.added.push_back(std::move(token));
  }
  tokens.special.resize(static_cast<std::size_t>(tokens.vocabulary.end_id()));
  for (const AddedToken& token : tokens.added) tokens.special[static_cast<std::size_t>(token.id)] = token.special;
  return tokens;
}

}  // namespace

AddedTokenMatcher matcher_of(const Tokens& tokens, bool normalized) {
  std::vector<AddedToken> chosen;
  for (const AddedToken& token : tokens.added) {
    if (token.normalized == normalized) chosen.push_back(token);
  }
  return AddedTokenMatcher(std::move(chosen));
}

Tokenizer::Parts read_tokenizer_json(const json& file, const std::string& where) {
  JsonObject object(file, where);
  const std::string type = object.object("model").string("type", "BPE");
  if (type != "BPE") {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = "the tokenizer's model is not supported",
                 .where = where,
                 .got = text("\"", type, "\""),
                 .expected = "\"BPE\"",
                 .hint = "models of the Llama family have it"});
  }
  const auto part = [&](const char* key) { return file.value(key, json()); };
  // Asked first: what kind of tokenizer it is says more than what its vocabulary lacks.
  Normalizer normalizer(part("normalizer"), where);
  PreTokenizer pre_tokenizer(part("pre_tokenizer"), where);
  DecoderRules decoder = DecoderRules::from_json(part("decoder"), where);
  if (pre_tokenizer.gives_bytes() != (decoder.spelling == Spelling::Bytes)) {
    refuse("the pre-tokenizer and the decoder do not fit together",
           pre_tokenizer.gives_bytes() ? "ByteLevel before, text after" : "text before, ByteLevel after",
           "ByteLevel in both or in none", where);
  }
  Tokens tokens = read_tokens(file, normalizer, decoder.spelling, where);
  Bpe bpe = read_bpe(file["model"], tokens.vocabulary, where);
  SpecialFrame frame = read_post_processor(part("post_processor"), tokens.vocabulary, where);
  AddedTokenMatcher before = matcher_of(tokens, /*normalized=*/false);
  AddedTokenMatcher after = matcher_of(tokens, /*normalized=*/true);
  return {.tokens = std::move(tokens),
          .before_normalization = std::move(before),
          .normalizer = std::move(normalizer),
          .after_normalization = std::move(after),
          .pre_tokenizer = std::move(pre_tokenizer),
          .bpe = std::move(bpe),
          .frame = std::move(frame),
          .decoder = std::move(decoder)};
}

}  // namespace lathe
