#include "model/io/sentencepiece_charsmap.h"

#include <cstring>

#include "model/data/error.h"
#include "model/io/utf8.h"

namespace lathe {

namespace {

// A unit of the double array: an offset to its children, the label of the byte that leads to it, or a value.
bool has_leaf(std::uint32_t unit) { return (unit >> 8 & 1) == 1; }
std::uint32_t value(std::uint32_t unit) { return unit & 0x7FFFFFFF; }
std::uint32_t label(std::uint32_t unit) { return unit & 0x800000FF; }
std::uint32_t offset(std::uint32_t unit) { return (unit >> 10) << ((unit & 0x200) >> 6); }

bool is_inside_character(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

}  // namespace

SentencePieceCharsmap::SentencePieceCharsmap(std::string_view bytes, const std::string& where) {
  if (bytes.empty()) return;
  std::uint32_t trie_bytes = 0;
  const auto refuse = [&](const std::string& got, const char* expected) {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = "the normalizer's precompiled_charsmap is broken",
                 .where = where,
                 .got = got,
                 .expected = expected,
                 .hint = "download the file again"});
  };
  if (bytes.size() < sizeof trie_bytes) refuse(text(bytes.size(), " bytes"), "at least 4");
  std::memcpy(&trie_bytes, bytes.data(), sizeof trie_bytes);
  bytes.remove_prefix(sizeof trie_bytes);
  const bool fits = trie_bytes > 0 && trie_bytes < bytes.size() && trie_bytes % sizeof(std::uint32_t) == 0;
  if (!fits) refuse(text("a trie of ", trie_bytes, " bytes in ", bytes.size()), "whole units, and text behind them");
  units_.resize(trie_bytes / sizeof(std::uint32_t));
  std::memcpy(units_.data(), bytes.data(), trie_bytes);
  replacements_ = bytes.substr(trie_bytes);
  if (replacements_.back() != '\0') refuse("replacements that do not end", "a NUL at the end");
  if (!is_utf8(replacements_)) refuse("replacements that are not UTF-8", "UTF-8");
}

std::optional<std::pair<std::size_t, std::string_view>> SentencePieceCharsmap::match(std::string_view text) const {
  if (units_.empty()) return std::nullopt;
  std::optional<std::pair<std::size_t, std::string_view>> longest;
  std::uint32_t at = offset(units_[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    at ^= byte;
    if (at >= units_.size() || label(units_[at]) != byte) break;
    const std::uint32_t unit = units_[at];
    at ^= offset(unit);
    if (!has_leaf(unit)) continue;
    if (at >= units_.size()) break;
    const std::size_t begin = value(units_[at]);
    if (begin >= replacements_.size() || is_inside_character(replacements_, begin)) break;
    if (is_inside_character(text, i + 1)) continue;
    longest = {i + 1, std::string_view(replacements_).substr(begin, replacements_.find('\0', begin) - begin)};
  }
  return longest;
}

}  // namespace lathe
