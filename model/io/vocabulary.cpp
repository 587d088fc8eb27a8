#include "model/io/vocabulary.h"

#include "model/data/error.h"
#include "model/io/byte_level.h"
#include "model/io/utf8.h"

namespace lathe {

namespace {

std::string quoted(std::string_view spelling) { return text("\"", spelling.substr(0, 100), "\""); }

}  // namespace

void Vocabulary::add(std::string spelling, std::int64_t id, const std::string& where) {
  if (!is_utf8(spelling)) {
    throw Error({.code = ErrorCode::Utf8,
                 .what = text("token ", id, " is not UTF-8"),
                 .where = where,
                 .got = "other bytes",
                 .expected = "UTF-8",
                 .hint = kSaveTokenizerAgain});
  }
  if (id < 0 || id >= kMaxTokens) {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = text("the id of token ", quoted(spelling), " is out of range"),
                 .where = where,
                 .got = text("id ", id),
                 .expected = text("0 to ", kMaxTokens - 1),
                 .hint = kSaveTokenizerAgain});
  }
  if (spelling.size() > kMaxTokenBytes) {
    throw Error({.code = ErrorCode::Limit,
                 .what = text("token ", id, " is too long"),
                 .where = where,
                 .got = text(spelling.size(), " bytes"),
                 .expected = text("at most ", kMaxTokenBytes),
                 .hint = kSaveTokenizerAgain});
  }
  if (contains(id)) {
    throw Error({.code = ErrorCode::DuplicateKey,
                 .what = text("two tokens have id ", id),
                 .where = where,
                 .got = text(quoted(this->spelling(id)), " and ", quoted(spelling)),
                 .expected = "one token for each id",
                 .hint = kSaveTokenizerAgain});
  }
  const auto [place, is_new] = ids_.emplace(spelling, static_cast<std::int32_t>(id));
  if (!is_new) {
    throw Error({.code = ErrorCode::DuplicateKey,
                 .what = text("token ", quoted(spelling), " is there twice"),
                 .where = where,
                 .got = text("ids ", place->second, " and ", id),
                 .expected = "one id for each token",
                 .hint = kSaveTokenizerAgain});
  }
  if (id >= end_id()) tokens_.resize(static_cast<std::size_t>(id) + 1);
  respell(static_cast<std::int32_t>(id), std::move(spelling));
}

void Vocabulary::respell(std::int32_t id, std::string spelling) {
  Token& token = tokens_[static_cast<std::size_t>(id)];
  if (spelling_ == Spelling::Bytes) {
    std::optional<std::string> bytes = bytes_spelled(spelling);
    token.spells_bytes = bytes.has_value();
    token.bytes = bytes ? std::move(*bytes) : spelling;
  } else {
    const std::optional<char> byte = byte_named(spelling);
    token.is_single_byte = byte && spelling_ == Spelling::TextWithBytes;
    token.bytes = token.is_single_byte ? std::string(1, *byte) : with_plain_spaces(spelling);
  }
  token.spelling = std::move(spelling);
}

bool Vocabulary::contains(std::int64_t id) const {
  // Only a gap has no spelling, but for the empty token, which is found by its name.
  return id >= 0 && id < end_id() && (!spelling(id).empty() || id_of("") == id);
}

std::optional<std::int32_t> Vocabulary::id_of(std::string_view spelling) const {
  const auto found = ids_.find(spelling);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

std::string_view Vocabulary::spelling(std::int64_t id) const {
  return id >= 0 && id < end_id() ? std::string_view(tokens_[static_cast<std::size_t>(id)].spelling) : "";
}

std::string_view Vocabulary::bytes(std::int64_t id) const {
  return id >= 0 && id < end_id() ? std::string_view(tokens_[static_cast<std::size_t>(id)].bytes) : "";
}

bool Vocabulary::spells_bytes(std::int64_t id) const {
  return id >= 0 && id < end_id() && tokens_[static_cast<std::size_t>(id)].spells_bytes;
}

bool Vocabulary::is_single_byte(std::int64_t id) const {
  return id >= 0 && id < end_id() && tokens_[static_cast<std::size_t>(id)].is_single_byte;
}

}  // namespace lathe
