#include <nlohmann/json.hpp>
#include <set>

#include "model/data/error.h"
#include "model/data/json_object.h"
#include "model/io/tokenizer_parts.h"
#include "model/io/unicode_nfc.h"

namespace lathe {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxMerges = 8'000'000;
constexpr std::size_t kMaxAddedTokens = 100'000;
constexpr std::int64_t kMaxIdGap = 100'000;  // ids without a token: padding of the vocabulary

Vocabulary read_vocabulary(const json& model, const std::string& where) {
  const auto found = model.find("vocab");
  check(found != model.end() && found->is_object() && !found->empty(),
        "[tokenizer] \"vocab\" is not an object that holds tokens; in: ", where);
  const json& vocabulary = *found;
  Vocabulary result;
  const auto count = static_cast<std::int64_t>(vocabulary.size());
  for (const auto& [token, id] : vocabulary.items()) {
    check(id.is_number_integer() && id <= count + kMaxIdGap, "[tokenizer] token \"", token.substr(0, 100), "\" has id ",
          id.dump(), ", expected an integer that fits a vocabulary of ", count, " tokens; in: ", where);
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
  const std::string shown = merge.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 200);
  throw Error(lathe::text("[tokenizer] merge ", shown, ", expected two tokens; in: ", where));
}

Bpe read_bpe(const json& model, const Vocabulary& vocabulary, const std::string& where) {
  JsonObject object(model, where);
  const json* merges = model.contains("merges") ? &model["merges"] : nullptr;
  check(merges != nullptr && merges->is_array() && merges->size() <= kMaxMerges,
        "[tokenizer] \"merges\" is not a list of at most ", kMaxMerges, " pairs; in: ", where);
  std::vector<MergeRule> rules;
  rules.reserve(merges->size());
  for (const json& merge : *merges) rules.push_back(read_merge(merge, where));

  check(object.number("dropout", 0) == 0, "[tokenizer] BPE dropout makes ids random and is not supported; in: ", where);
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    check(object.string(affix, "").empty(), "[tokenizer] BPE ", affix, " is not supported; in: ", where);
  }
  BpeOptions options{.ignore_merges = object.boolean("ignore_merges", false),
                     .unknown_token = std::nullopt,
                     .fuse_unknown = object.boolean("fuse_unk", false)};
  if (object.has("unk_token")) options.unknown_token = object.string("unk_token");
  Bpe bpe(vocabulary, rules, options, where);
  check(!object.boolean("byte_fallback", false) || bpe.covers_all_bytes(),
        "[tokenizer] BPE byte_fallback is not supported in a byte-level vocabulary that lacks bytes; in: ", where);
  return bpe;
}

AddedToken read_added_token(JsonObject entry) {
  AddedToken token;
  token.content = entry.string("content");
  check(!token.content.empty(), "[tokenizer] an added token has no content; in: ", entry.where());
  token.special = entry.boolean("special", false);
  token.single_word = entry.boolean("single_word", false);
  token.lstrip = entry.boolean("lstrip", false);
  token.rstrip = entry.boolean("rstrip", false);
  token.normalized = entry.boolean("normalized", !token.special);
  return token;
}

/// Added tokens that the model's vocabulary lacks follow it, in the order of the list; their "id" must say the same.
Tokens read_tokens(const json& file, bool nfc, const std::string& where) {
  Tokens tokens{.vocabulary = read_vocabulary(file.at("model"), where), .added = {}, .special = {}};
  JsonObject object(file, where);
  std::vector<JsonObject> list;
  if (object.has("added_tokens")) list = object.objects("added_tokens");
  check(list.size() <= kMaxAddedTokens, "[tokenizer] ", list.size(), " added tokens, expected at most ",
        kMaxAddedTokens, "; in: ", where);
  std::int64_t next = tokens.vocabulary.count();
  std::set<std::string> seen;
  for (JsonObject& entry : list) {
    AddedToken token = read_added_token(entry);
    check(seen.insert(token.content).second, "[tokenizer] added token \"", token.content,
          "\" is there twice; in: ", where);
    const auto known = tokens.vocabulary.id_of(token.content);
    const std::int64_t id = known ? *known : next;
    check(entry.integer("id") == id, "[tokenizer] added token \"", token.content, "\" says id ", entry.integer("id"),
          ", but by its place it has id ", id, "; in: ", where);
    if (!known) tokens.vocabulary.add(token.content, id, where);
    next = std::max(next, id + 1);
    token.id = static_cast<std::int32_t>(id);
    if (token.normalized && nfc) {
      // From here on `tokenizers` knows the token by its normalized content, as the text will hold it.
      token.content = to_nfc(token.content);
      tokens.vocabulary.respell(token.id, token.content);
    }
    tokens.added.push_back(std::move(token));
  }
  tokens.special.resize(static_cast<std::size_t>(tokens.vocabulary.end_id()));
  for (const AddedToken& token : tokens.added) tokens.special[static_cast<std::size_t>(token.id)] = token.special;
  return tokens;
}

bool read_normalizer(const json& normalizer, const std::string& where) {
  if (normalizer.is_null()) return false;
  JsonObject object(normalizer, where);
  const std::string type = object.string("type");
  if (type == "NFC") return true;
  check(type == "Sequence", "[tokenizer] normalizer \"", type,
        "\" is not supported; supported are NFC, Sequence; in: ", where);
  bool nfc = false;
  object.objects("normalizers");
  for (const json& part : normalizer["normalizers"]) nfc |= read_normalizer(part, where);
  return nfc;
}

void check_decoder(const json& decoder, const std::string& where) {
  const std::string type = decoder.is_null() ? "none" : JsonObject(decoder, where).string("type");
  check(type == "ByteLevel", "[tokenizer] decoder \"", type,
        "\" is not supported; supported is ByteLevel; in: ", where);
}

std::vector<std::int32_t> ids_of_special(JsonObject& processor, const std::string& name, const Vocabulary& vocabulary) {
  std::vector<std::int32_t> result;
  for (const std::int64_t id : processor.object("special_tokens").object(name).integers("ids")) {
    check(vocabulary.contains(id), "[tokenizer] the post-processor's \"", name, "\" has id ", id,
          ", which is not in the vocabulary; in: ", processor.where());
    result.push_back(static_cast<std::int32_t>(id));
  }
  return result;
}

SpecialFrame read_template(JsonObject processor, const Vocabulary& vocabulary) {
  SpecialFrame frame;
  int sequences = 0;
  for (JsonObject& item : processor.objects("single")) {
    if (item.has("Sequence")) {
      ++sequences;
    } else {
      const std::string name = item.object("SpecialToken").string("id");
      std::vector<std::int32_t>& side = sequences == 0 ? frame.before : frame.after;
      const std::vector<std::int32_t> ids = ids_of_special(processor, name, vocabulary);
      side.insert(side.end(), ids.begin(), ids.end());
    }
  }
  check(sequences == 1, "[tokenizer] the post-processor's template holds the text ", sequences,
        " times, expected once; in: ", processor.where());
  return frame;
}

SpecialFrame read_post_processor(const json& processor, const Vocabulary& vocabulary, const std::string& where) {
  if (processor.is_null()) return {};
  JsonObject object(processor, where);
  const std::string type = object.string("type");
  if (type == "ByteLevel") return {};  // changes offsets, not ids
  if (type == "TemplateProcessing") return read_template(object, vocabulary);
  check(type == "Sequence", "[tokenizer] post-processor \"", type,
        "\" is not supported; supported are ByteLevel, TemplateProcessing, Sequence; in: ", where);
  SpecialFrame frame;
  object.objects("processors");
  for (const json& part : processor["processors"]) {
    const SpecialFrame outer = read_post_processor(part, vocabulary, where);
    frame.before.insert(frame.before.begin(), outer.before.begin(), outer.before.end());
    frame.after.insert(frame.after.end(), outer.after.begin(), outer.after.end());
  }
  return frame;
}

AddedTokenMatcher matcher_of(const Tokens& tokens, bool normalized) {
  std::vector<AddedToken> chosen;
  for (const AddedToken& token : tokens.added) {
    if (token.normalized == normalized) chosen.push_back(token);
  }
  return AddedTokenMatcher(std::move(chosen));
}

}  // namespace

Tokenizer::Parts read_tokenizer_json(const json& file, const std::string& where) {
  JsonObject object(file, where);
  const std::string type = object.object("model").string("type", "BPE");
  check(type == "BPE", "[tokenizer] model \"", type, "\" is not supported; supported is BPE; in: ", where);
  const auto part = [&](const char* key) { return file.value(key, json()); };
  // Asked first: what kind of tokenizer it is says more than what its vocabulary lacks.
  const bool nfc = read_normalizer(part("normalizer"), where);
  PreTokenizer pre_tokenizer(part("pre_tokenizer"), where);
  check_decoder(part("decoder"), where);
  Tokens tokens = read_tokens(file, nfc, where);
  Bpe bpe = read_bpe(file["model"], tokens.vocabulary, where);
  SpecialFrame frame = read_post_processor(part("post_processor"), tokens.vocabulary, where);
  AddedTokenMatcher before = matcher_of(tokens, /*normalized=*/false);
  AddedTokenMatcher after = matcher_of(tokens, /*normalized=*/true);
  return {.tokens = std::move(tokens),
          .before_normalization = std::move(before),
          .normalize_nfc = nfc,
          .after_normalization = std::move(after),
          .pre_tokenizer = std::move(pre_tokenizer),
          .bpe = std::move(bpe),
          .frame = std::move(frame),
          .bos_id = std::nullopt,
          .eos_ids = {},
          .chat_template = {},
          .files = {}};
}

}  // namespace lathe
