#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lathe {

/// The table by which sentencepiece rewrites characters (nmt_nfkc and others): a trie of what to replace, stored as a
/// double array, and the replacements. Every step in it is checked against its size.
/// Source: sentencepiece, src/normalizer.cc; Darts-clone, include/darts.h.
class SentencePieceCharsmap {
 public:
  SentencePieceCharsmap() = default;

  /// Reads `precompiled_charsmap`; empty bytes give the table that changes nothing. Throws Error if the sizes in it do
  /// not fit; `where` names the file.
  SentencePieceCharsmap(std::string_view bytes, const std::string& where);

  bool empty() const { return units_.empty(); }

  /// The longest beginning of `text` that is replaced: its length, and by what. Nullopt if none is.
  std::optional<std::pair<std::size_t, std::string_view>> match(std::string_view text) const;

 private:
  std::vector<std::uint32_t> units_;
  std::string replacements_;  // each ends with a NUL
};

}  // namespace lathe
