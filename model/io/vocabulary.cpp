#include "model/io/vocabulary.h"

#include "model/data/error.h"
#include "model/io/byte_level.h"
#include "model/io/utf8.h"

namespace lathe {

void Vocabulary::add(std::string spelling, std::int64_t id, const std::string& where) {
  check(is_utf8(spelling), "[tokenizer] token ", id, " is not UTF-8; in: ", where);
  const std::string shown = spelling.substr(0, 100);
  check(id >= 0 && id < kMaxTokens, "[tokenizer] token \"", shown, "\" has id ", id, ", expected 0 to ", kMaxTokens - 1,
        "; in: ", where);
  check(spelling.size() <= kMaxTokenBytes, "[tokenizer] token ", id, " is ", spelling.size(),
        " bytes long, expected at most ", kMaxTokenBytes, "; in: ", where);
  check(!contains(id), "[tokenizer] id ", id, " is both \"", this->spelling(id), "\" and \"", shown, "\"; in: ", where);
  const bool is_new = ids_.emplace(spelling, static_cast<std::int32_t>(id)).second;
  check(is_new, "[tokenizer] token \"", shown, "\" is there twice, with id ", ids_.find(spelling)->second, " and ", id,
        "; in: ", where);

  if (id >= end_id()) tokens_.resize(static_cast<std::size_t>(id) + 1);
  respell(static_cast<std::int32_t>(id), std::move(spelling));
}

void Vocabulary::respell(std::int32_t id, std::string spelling) {
  Token& token = tokens_[static_cast<std::size_t>(id)];
  std::optional<std::string> bytes = bytes_spelled(spelling);
  token.spells_bytes = bytes.has_value();
  token.bytes = bytes ? std::move(*bytes) : spelling;
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

}  // namespace lathe
