#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/io/vocabulary.h"

namespace lathe {

/// Two spellings that join into one token; a rule's place in the list is its rank.
using MergeRule = std::pair<std::string, std::string>;

struct BpeOptions {
  bool ignore_merges = false;  ///< a piece that is a token as a whole needs no merges (Llama-3)
  std::optional<std::string>
      unknown_token;          ///< stands for bytes that the vocabulary lacks; without it they are dropped
  bool fuse_unknown = false;  ///< one unknown token for a run of such bytes
};

/// Byte-pair encoding of one piece of text after another. Immutable; borrows nothing.
/// Source: Sennrich et al., arXiv:1508.07909; `tokenizers`, src/models/bpe.
class Bpe {
 public:
  /// Throws Error if a rule names a token that the vocabulary lacks; `where` names the file.
  Bpe(const Vocabulary& vocabulary, const std::vector<MergeRule>& rules, BpeOptions options, const std::string& where);

  /// What a sequence of encode() calls reuses.
  struct Scratch;

  /// Appends the ids of `piece`. Time n log n in its bytes.
  void encode(std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& ids) const;

  /// Whether each of the 256 bytes is a token, so that every text has an encoding that decodes to it.
  bool covers_all_bytes() const;

 private:
  struct Merge {
    std::uint64_t pair = kNoPair;  // left id in the high half, right id in the low
    std::uint32_t rank = 0;
    std::int32_t joined = 0;
  };
  struct Whole {
    std::uint64_t hash = 0;
    std::int32_t id = -1;
  };
  static constexpr std::uint64_t kNoPair = ~std::uint64_t{0};

  void add_rule(std::int32_t left, std::int32_t right, Merge merge);
  void add_whole_pieces(const Vocabulary& vocabulary, bool ignore_merges);
  const Merge* find_merge(std::int32_t left, std::int32_t right) const;
  std::int32_t find_whole(std::string_view piece) const;
  void start_symbols(std::string_view piece, Scratch& scratch) const;
  void propose(Scratch& scratch, std::int32_t left) const;
  void merge(Scratch& scratch) const;

  std::array<std::int32_t, 256> byte_ids_{};
  std::int32_t unknown_id_ = -1;
  bool fuse_unknown_;
  // Hash tables with open addressing, a power of two in size, at most half full.
  std::vector<Merge> merges_;
  std::vector<Whole> wholes_;       // pieces that encode to one token, found without merging
  std::vector<std::string> bytes_;  // of each id in wholes_
  std::size_t longest_whole_ = 0;
};

struct Bpe::Scratch {
  struct Symbol {
    std::int32_t id, previous, next;
  };
  struct Candidate {
    std::uint32_t rank;
    std::int32_t left;  // place of the left symbol; the leftmost of equal ranks goes first
    std::uint64_t pair;
    std::int32_t joined;
  };
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

}  // namespace lathe
