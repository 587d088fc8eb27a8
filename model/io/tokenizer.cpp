#include "model/io/tokenizer.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "model/data/error.h"
#include "model/io/json_file.h"
#include "model/io/tokenizer_parts.h"
#include "model/io/tokenizer_sentencepiece.h"
#include "model/io/utf8.h"

namespace lathe {

namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{1} << 30;  // places in it are counted in 32 bits

}  // namespace

Tokenizer::Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

Tokenizer Tokenizer::from_files(TokenizerFiles files, const std::string& source) {
  auto parts = std::make_shared<Parts>(files.tokenizer_json.empty() && !files.tokenizer_model.empty()
                                           ? read_tokenizer_model(files, source)
                                           : read_tokenizer_json(parse_json(files.tokenizer_json, source), source));
  const TokenizerFiles equivalent = std::exchange(parts->files, std::move(files));
  const auto fill = [&](std::string TokenizerFiles::*file) {
    if ((parts->files.*file).empty()) parts->files.*file = equivalent.*file;
  };
  fill(&TokenizerFiles::tokenizer_json);
  fill(&TokenizerFiles::tokenizer_config_json);
  fill(&TokenizerFiles::generation_config_json);
  read_tokenizer_config(*parts, source);
  return Tokenizer(std::move(parts));
}

Tokenizer Tokenizer::from_folder(const std::filesystem::path& folder) {
  const auto is_there = [&folder](const char* name) {
    std::error_code unreadable;  // then reading says more
    return std::filesystem::exists(folder / name, unreadable);
  };
  const auto read_if_there = [&](const char* name) {
    return is_there(name) ? read_file(folder / name) : std::string();
  };
  if (!is_there("tokenizer.json") && !is_there("tokenizer.model")) {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = "the folder has no tokenizer",
                 .where = folder.string(),
                 .got = "neither",
                 .expected = "tokenizer.json or tokenizer.model",
                 .hint = "put it beside the weights; transformers' save_pretrained writes tokenizer.json"});
  }
  TokenizerFiles files{.tokenizer_json = read_if_there("tokenizer.json"),
                       .tokenizer_config_json = read_if_there("tokenizer_config.json"),
                       .chat_template_jinja = read_if_there("chat_template.jinja"),
                       .generation_config_json = read_if_there("generation_config.json"),
                       .tokenizer_model = read_if_there("tokenizer.model")};
  const bool has_json = is_there("tokenizer.json");
  if (!has_json && is_there("added_tokens.json") &&
      files.tokenizer_config_json.find("added_tokens_decoder") == std::string::npos) {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = "tokens are added to tokenizer.model in a way that is not supported",
                 .where = (folder / "added_tokens.json").string(),
                 .got = "added_tokens.json alone",
                 .expected = "\"added_tokens_decoder\" in tokenizer_config.json",
                 .hint = "open the tokenizer with transformers and save it again, which writes tokenizer.json"});
  }
  const std::string path = (folder / (has_json ? "tokenizer.json" : "tokenizer.model")).string();
  if (!has_json && files.tokenizer_model.empty()) read_tokenizer_model(files, path);  // which says what is wrong
  return from_files(std::move(files), path);
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (text.size() > kMaxTextBytes) {
    throw Error({.code = ErrorCode::Limit,
                 .what = "the text is too long",
                 .got = lathe::text(text.size(), " bytes"),
                 .expected = lathe::text("at most ", kMaxTextBytes),
                 .hint = "cut it into parts"});
  }
  std::string repaired;
  if (!is_utf8(text)) text = repaired = repair_utf8(text).text;

  std::vector<std::int32_t> ids;
  if (options.add_special_tokens) ids = parts_->frame.before;
  Bpe::Scratch scratch;
  const auto on_token = [&](std::int32_t id) { ids.push_back(id); };
  const std::function<void(std::string_view)> on_piece = [&](std::string_view piece) {
    parts_->bpe.encode(piece, scratch, ids);
  };
  const auto on_text = [&](std::string_view part) {
    const bool is_start = part.data() == text.data();
    const std::string normalized = parts_->normalizer.is_none() ? std::string() : parts_->normalizer(part);
    const std::string_view whole = parts_->normalizer.is_none() ? part : normalized;
    const auto on_normalized = [&](std::string_view rest) {
      parts_->pre_tokenizer.split(rest, is_start && rest.data() == whole.data(), on_piece);
    };
    parts_->after_normalization.split(whole, on_normalized, on_token);
  };
  parts_->before_normalization.split(text, on_text, on_token);
  if (options.add_special_tokens) ids.insert(ids.end(), parts_->frame.after.begin(), parts_->frame.after.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, DecodeOptions options) const {
  std::string text;
  TokenDecoder decoder;
  for (const std::int32_t id : ids) {
    if (options.skip_special_tokens && is_special(id)) continue;
    decoder.push(parts_->tokens.vocabulary, parts_->decoder, id, text);
  }
  decoder.finish(parts_->decoder, text);
  return text;
}

std::string_view Tokenizer::token(std::int32_t id) const { return parts_->tokens.vocabulary.spelling(id); }

std::string Tokenizer::token_text(std::int32_t id) const {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string_view bytes = parts_->tokens.vocabulary.bytes(id);
  std::string shown;
  while (!bytes.empty()) {
    const std::size_t valid = valid_utf8_prefix(bytes);
    shown += bytes.substr(0, valid);
    bytes.remove_prefix(valid);
    if (bytes.empty()) break;
    const auto bad = static_cast<unsigned char>(bytes.front());
    shown.append("<0x").append(1, kHex[bad >> 4]).append(1, kHex[bad & 15]).append(">");
    bytes.remove_prefix(1);
  }
  return shown;
}

std::optional<std::int32_t> Tokenizer::id_of(std::string_view token) const {
  return parts_->tokens.vocabulary.id_of(token);
}

std::int64_t Tokenizer::vocab_size() const { return parts_->tokens.vocabulary.end_id(); }

bool Tokenizer::is_special(std::int32_t id) const {
  return id >= 0 && id < vocab_size() && parts_->tokens.special[static_cast<std::size_t>(id)];
}

std::optional<std::int32_t> Tokenizer::bos_id() const { return parts_->bos_id; }

std::optional<std::int32_t> Tokenizer::eos_id() const {
  if (parts_->eos_ids.empty()) return std::nullopt;
  return parts_->eos_ids.front();
}

std::span<const std::int32_t> Tokenizer::eos_ids() const { return parts_->eos_ids; }

const std::string& Tokenizer::chat_template() const { return parts_->chat_template; }

const TokenizerFiles& Tokenizer::files() const { return parts_->files; }

StreamDecoder::StreamDecoder(Tokenizer tokenizer, DecodeOptions options)
    : tokenizer_(std::move(tokenizer)), options_(options) {}

std::string StreamDecoder::push(std::int32_t id) {
  std::string text;
  if (options_.skip_special_tokens && tokenizer_.is_special(id)) return text;
  decoder_.push(tokenizer_.parts_->tokens.vocabulary, tokenizer_.parts_->decoder, id, text);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text;
  decoder_.finish(tokenizer_.parts_->decoder, text);
  return text;
}

}  // namespace lathe
