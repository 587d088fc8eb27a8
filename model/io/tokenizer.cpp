#include "model/io/tokenizer.h"

#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/io/json_file.h"
#include "model/io/tokenizer_parts.h"
#include "model/io/unicode_nfc.h"
#include "model/io/utf8.h"

namespace lathe {

namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{1} << 30;  // places in it are counted in 32 bits

/// Where a character starts that `bytes` end in the middle of; their size if they end with a whole one.
std::size_t unfinished_from(std::string_view bytes) {
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    // More than one U+FFFD would mean that it is broken already (ED A0).
    const std::string_view start = bytes.substr(bytes.size() - back);
    const bool can_finish = length > back && repair_utf8(start).text == "\xEF\xBF\xBD";
    return can_finish ? bytes.size() - back : bytes.size();
  }
  return bytes.size();
}

}  // namespace

Tokenizer::Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

Tokenizer Tokenizer::from_files(TokenizerFiles files, const std::string& source) {
  auto parts = std::make_shared<Parts>(read_tokenizer_json(parse_json(files.tokenizer_json, source), source));
  parts->files = std::move(files);
  read_tokenizer_config(*parts, source);
  return Tokenizer(std::move(parts));
}

Tokenizer Tokenizer::from_folder(const std::filesystem::path& folder) {
  const auto read_if_there = [&folder](const char* name) {
    const std::filesystem::path path = folder / name;
    std::error_code unreadable;  // then reading says more
    return std::filesystem::exists(path, unreadable) ? read_file(path) : std::string();
  };
  const std::filesystem::path path = folder / "tokenizer.json";
  std::error_code unreadable;
  check(std::filesystem::exists(path, unreadable),
        "[tokenizer] no tokenizer.json, the only tokenizer file of a folder that Lathe reads; "
        "transformers' save_pretrained writes one; folder: ",
        folder.string());
  return from_files({.tokenizer_json = read_file(path),
                     .tokenizer_config_json = read_if_there("tokenizer_config.json"),
                     .chat_template_jinja = read_if_there("chat_template.jinja"),
                     .generation_config_json = read_if_there("generation_config.json")},
                    path.string());
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  check(text.size() <= kMaxTextBytes, "[tokenizer] a text of ", text.size(), " bytes, expected at most ", kMaxTextBytes,
        "; cut it into parts");
  std::string repaired;
  if (!is_utf8(text)) text = repaired = repair_utf8(text).text;

  std::vector<std::int32_t> ids;
  if (options.add_special_tokens) ids = parts_->frame.before;
  Bpe::Scratch scratch;
  const auto on_token = [&](std::int32_t id) { ids.push_back(id); };
  const std::function<void(std::string_view)> on_piece = [&](std::string_view piece) {
    parts_->bpe.encode(piece, scratch, ids);
  };
  const auto on_normalized = [&](std::string_view part) { parts_->pre_tokenizer.split(part, on_piece); };
  const auto on_text = [&](std::string_view part) {
    const std::string normalized = parts_->normalize_nfc ? to_nfc(part) : std::string();
    parts_->after_normalization.split(parts_->normalize_nfc ? normalized : part, on_normalized, on_token);
  };
  parts_->before_normalization.split(text, on_text, on_token);
  if (options.add_special_tokens) ids.insert(ids.end(), parts_->frame.after.begin(), parts_->frame.after.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, DecodeOptions options) const {
  std::string bytes;
  for (const std::int32_t id : ids) {
    if (!options.skip_special_tokens || !is_special(id)) bytes += parts_->tokens.vocabulary.bytes(id);
  }
  return is_utf8(bytes) ? bytes : repair_utf8(bytes).text;
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
  if (options_.skip_special_tokens && tokenizer_.is_special(id)) return {};
  pending_ += tokenizer_.parts_->tokens.vocabulary.bytes(id);
  const std::size_t whole = unfinished_from(pending_);
  std::string text = repair_utf8(std::string_view(pending_).substr(0, whole)).text;
  pending_.erase(0, whole);
  return text;
}

std::string StreamDecoder::finish() {
  const std::string rest = std::move(pending_);
  pending_.clear();
  return repair_utf8(rest).text;
}

}  // namespace lathe
