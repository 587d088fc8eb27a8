#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/data/json_object.h"
#include "model/io/json_file.h"
#include "model/io/tiktoken.h"
#include "model/io/tokenizer_sentencepiece.h"

namespace lathe {

namespace {

using nlohmann::json;

AddedToken read_added_token(const std::string& id, JsonObject entry) {
  AddedToken token;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), token.id);
  token.content = entry.string("content");
  if (error != std::errc() || end != id.data() + id.size() || token.id < 0 || token.content.empty()) {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = "an added token has no id or no text",
                 .where = entry.where(),
                 .got = text("\"", id.substr(0, 100), "\""),
                 .expected = "a number, and its content",
                 .hint = kSaveTokenizerAgain});
  }
  token.special = entry.boolean("special", false);
  token.single_word = entry.boolean("single_word", false);
  token.lstrip = entry.boolean("lstrip", false);
  token.rstrip = entry.boolean("rstrip", false);
  return token;
}

/// What tokenizer_config.json says beyond the model.
void read_use(const std::string& config_json, SentencePieceUse& use, const std::string& where) {
  if (config_json.empty()) return;
  const json file = parse_json(config_json, where);
  JsonObject config(file, where);
  use.add_bos = config.boolean("add_bos_token", true);
  use.add_eos = config.boolean("add_eos_token", false);
  if (!config.has("added_tokens_decoder")) return;
  JsonObject added = config.object("added_tokens_decoder");
  for (const auto& [id, entry] : file["added_tokens_decoder"].items()) {
    use.added.push_back(read_added_token(id, added.object(id)));
  }
  std::sort(use.added.begin(), use.added.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
}

Tokenizer::Parts read_sentencepiece(const TokenizerFiles& files, const std::string& where) {
  const SentencePieceModel model = read_sentencepiece_model(files.tokenizer_model, where);
  SentencePieceUse use;
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    const SentencePiece& piece = model.pieces[id];
    if (piece.kind != SentencePiece::Kind::Control) continue;
    if (piece.text == model.bos_piece) use.bos_id = static_cast<std::int32_t>(id);
    if (piece.text == model.eos_piece) use.eos_id = static_cast<std::int32_t>(id);
  }
  read_use(files.tokenizer_config_json, use, where + ": tokenizer_config.json");
  Tokenizer::Parts parts = parts_of_sentencepiece(model, use, where);
  const json equivalent = sentencepiece_as_json(model, parts);
  if (!equivalent.is_null()) parts.files.tokenizer_json = equivalent.dump(1);
  return parts;
}

[[noreturn]] void refuse(ErrorCode code, const char* got, const char* hint, const std::string& where) {
  throw Error({.code = code,
               .what = "this is not a tokenizer",
               .where = where,
               .got = got,
               .expected = "a sentencepiece model, or lines of base64 and ranks",
               .hint = hint});
}

}  // namespace

Tokenizer::Parts read_tokenizer_model(const TokenizerFiles& files, const std::string& where) {
  const std::string& bytes = files.tokenizer_model;
  constexpr char kPieces = '\n';  // the tag of a message's first field
  if (bytes.empty()) refuse(ErrorCode::Truncated, "an empty file", "download the file again", where);
  if (bytes.front() == kPieces) return read_sentencepiece(files, where);
  if (bytes.starts_with("version https://git-lfs")) {
    refuse(ErrorCode::LfsPointer, "a Git LFS pointer", "run git lfs pull, or download the file itself", where);
  }
  if (bytes.front() == '<') refuse(ErrorCode::Html, "a web page", "download the file itself, perhaps logged in", where);
  if (looks_like_tiktoken(bytes)) return parts_of_gguf(read_tiktoken(bytes, where), where);
  refuse(ErrorCode::WrongFormat, "something else", "open a folder that has a tokenizer.json", where);
}

}  // namespace lathe
