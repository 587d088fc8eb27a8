#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/io/bpe_rules.h"
#include "model/io/vocabulary.h"

namespace lathe {

struct BpeOptions {
  bool ignore_merges = false;  ///< a piece that is a token as a whole needs no merges (Llama-3)
  bool byte_fallback = false;  ///< a character without a token becomes the tokens "<0x…>" of its bytes, if all exist
  std::optional<std::int32_t> unknown_id{};  ///< stands for what has no token; without it that is dropped
  bool fuse_unknown = false;                 ///< one unknown token for a run of such characters or bytes
  std::vector<bool> unused{};  ///< by id: tokens that text passes through on its way but never ends in; may be empty
};

/// Byte-pair encoding of one piece of text after another. Immutable; borrows nothing.
/// Source: Sennrich et al., arXiv:1508.07909; `tokenizers`, src/models/bpe; sentencepiece, src/bpe_model.cc.
class Bpe {
 public:
  Bpe(const Vocabulary& vocabulary, std::span<const BpeRule> rules, BpeOptions options);

  /// What a sequence of encode() calls reuses.
  struct Scratch;

  /// Appends the ids of `piece`: any bytes for a vocabulary that spells bytes, else well-formed UTF-8 with "▁" for
  /// spaces. Time n log n in its bytes.
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

  void add_characters(const Vocabulary& vocabulary);
  void add_rules(const Vocabulary& vocabulary, std::span<const BpeRule> rules);
  void add_whole_pieces(const Vocabulary& vocabulary);
  const Merge* find_merge(std::int32_t left, std::int32_t right) const;
  std::int32_t find_whole(std::string_view piece) const;
  std::int32_t id_of(char32_t character) const;
  void encode_word(std::string_view word, Scratch& scratch, std::vector<std::int32_t>& ids) const;
  void start_bytes(std::string_view piece, Scratch& scratch) const;
  void start_characters(std::string_view piece, Scratch& scratch) const;
  void propose(Scratch& scratch, std::int32_t left) const;
  void merge(Scratch& scratch) const;
  void add_ids(std::int32_t symbol, const Scratch& scratch, std::vector<std::int32_t>& ids) const;

  Spelling spelling_;
  BpeOptions options_;
  std::array<std::int32_t, 256> byte_ids_{};
  std::vector<std::int32_t> character_ids_;  // by code point, as far as there are tokens
  bool joins_unknown_ = false;               // some rule needs a character that is no token by itself
  bool cuts_before_spaces_ = false;          // no rule joins "▁" with what is before it but another "▁"
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
  /// What an unused token came from last, or would have.
  std::unordered_map<std::int32_t, std::uint64_t> parts_of_unused;

  void add(std::int32_t symbol);  ///< appends it, unless it is none
  void end();                     ///< after the last one
};

}  // namespace lathe
