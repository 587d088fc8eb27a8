#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/data/json_object.h"
#include "model/io/json_file.h"
#include "model/io/tokenizer_parts.h"

namespace lathe {

namespace {

using nlohmann::json;

/// The id of "bos_token" or "eos_token": a string, or an object with its "content".
std::optional<std::int32_t> special_id(JsonObject config, const json& file, const char* key,
                                       const Vocabulary& vocabulary) {
  if (!config.has(key)) return std::nullopt;
  const std::string token = file[key].is_object() ? config.object(key).string("content") : config.string(key);
  const auto id = vocabulary.id_of(token);
  if (!id) {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = text("the ", key, " is not in the vocabulary"),
                 .where = config.where(),
                 .got = text("\"", token.substr(0, 100), "\""),
                 .expected = "a token",
                 .hint = kSaveTokenizerAgain});
  }
  return id;
}

/// The template, or of several named ones the default.
std::string template_of(JsonObject config, const json& file) {
  if (!config.has("chat_template")) return {};
  if (!file["chat_template"].is_array()) return config.string("chat_template");
  for (JsonObject& named : config.objects("chat_template")) {
    if (named.string("name") == "default") return named.string("template");
  }
  return {};
}

void read_generation_config(Tokenizer::Parts& parts, const std::string& where) {
  const json file = parse_json(parts.files.generation_config_json, where);
  for (const std::int64_t id : JsonObject(file, where).integer_or_list("eos_token_id")) {
    if (!parts.tokens.vocabulary.contains(id)) {
      throw Error({.code = ErrorCode::Tokenizer,
                   .what = "eos_token_id is not in the vocabulary",
                   .where = where,
                   .got = text(id),
                   .expected = text("an id below ", parts.tokens.vocabulary.end_id()),
                   .hint = "correct generation_config.json or get it again"});
    }
    const auto eos = static_cast<std::int32_t>(id);
    const bool is_known = std::find(parts.eos_ids.begin(), parts.eos_ids.end(), eos) != parts.eos_ids.end();
    if (!is_known) parts.eos_ids.push_back(eos);
  }
}

}  // namespace

void read_tokenizer_config(Tokenizer::Parts& parts, const std::string& where) {
  const TokenizerFiles& files = parts.files;
  if (!files.tokenizer_config_json.empty()) {
    const std::string source = where + ": tokenizer_config.json";
    const json file = parse_json(files.tokenizer_config_json, source);
    const JsonObject config(file, source);
    if (const auto bos = special_id(config, file, "bos_token", parts.tokens.vocabulary)) parts.bos_id = bos;
    if (const auto eos = special_id(config, file, "eos_token", parts.tokens.vocabulary)) {
      std::erase(parts.eos_ids, *eos);
      parts.eos_ids.insert(parts.eos_ids.begin(), *eos);
    }
    parts.chat_template = template_of(config, file);
  }
  if (!files.chat_template_jinja.empty()) parts.chat_template = files.chat_template_jinja;
  if (!files.generation_config_json.empty()) read_generation_config(parts, where + ": generation_config.json");
}

}  // namespace lathe
