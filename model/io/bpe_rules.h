#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/io/vocabulary.h"

namespace lathe {

/// Two neighbours that join into one token. Of all rules that apply somewhere the one of the lowest rank goes first,
/// and of equal ranks the leftmost.
struct BpeRule {
  std::int32_t left, right;  ///< ids, or BpeRule::unknown() of a character that is no token by itself
  std::int32_t joined;
  std::uint32_t rank;

  /// Stands for a character that is no token by itself; below every id.
  static constexpr std::int32_t unknown(char32_t character) { return -16 - static_cast<std::int32_t>(character); }
  static constexpr bool is_unknown(std::int32_t symbol) { return symbol <= -16; }
  static constexpr char32_t character_of(std::int32_t symbol) { return static_cast<char32_t>(-16 - symbol); }
};

/// Two spellings that join into one token; a rule's place in the list is its rank.
using MergeRule = std::pair<std::string, std::string>;

/// The rules that tokenizer.json lists as merges. Throws Error if one names a token that the vocabulary lacks; `where`
/// names the file.
std::vector<BpeRule> rules_of_merges(const Vocabulary& vocabulary, const std::vector<MergeRule>& merges,
                                     const std::string& where);

/// The rules of models that list tokens and not merges: any two neighbours join that together spell a token, and the
/// token's rank decides. `ranks` by id; tokens of the rank kNoRank are never made.
/// Source: sentencepiece, src/bpe_model.cc; tiktoken, src/lib.rs.
std::vector<BpeRule> rules_of_ranks(const Vocabulary& vocabulary, std::span<const std::uint32_t> ranks);

inline constexpr std::uint32_t kNoRank = UINT32_MAX;

}  // namespace lathe
