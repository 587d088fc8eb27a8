#include "model/io/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "model/io/byte_level.h"
#include "model/io/unicode_classes.h"
#include "model/io/utf8.h"

namespace lathe {

namespace {

constexpr std::int32_t kNone = -1;
constexpr std::int32_t kGone = -2;  // id of a symbol that was merged into the one on its left
constexpr char32_t kMetaspaceCode = U'\u2581';

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15;
  return hash ^ hash >> 32;
}

template <typename Word>
std::uint64_t load(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// Reads eight bytes at a time; the last ones overlap so that there is no loop over single bytes.
std::uint64_t hash_of(std::string_view bytes) {
  const char* at = bytes.data();
  const std::size_t size = bytes.size();
  std::uint64_t hash = mix(0, size);
  if (size >= 8) {
    for (std::size_t i = 0; i + 8 < size; i += 8) hash = mix(hash, load<std::uint64_t>(at + i));
    return mix(hash, load<std::uint64_t>(at + size - 8));
  }
  if (size >= 4) return mix(hash, load<std::uint32_t>(at) | load<std::uint32_t>(at + size - 4) << 32);
  if (size == 0) return hash;
  return mix(hash,
             load<std::uint8_t>(at) | load<std::uint8_t>(at + size / 2) << 8 | load<std::uint8_t>(at + size - 1) << 16);
}

std::uint64_t pair_of(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

std::size_t table_size(std::size_t entries) { return std::bit_ceil(2 * entries + 2); }

}  // namespace

void Bpe::Scratch::add(std::int32_t symbol) {
  if (symbol == kNone) return;
  const auto place = static_cast<std::int32_t>(symbols.size());
  symbols.push_back({symbol, place - 1, place + 1});
}

void Bpe::Scratch::end() {
  if (!symbols.empty()) symbols.back().next = kNone;
}

Bpe::Bpe(const Vocabulary& vocabulary, std::span<const BpeRule> rules, BpeOptions options)
    : spelling_(vocabulary.spelled_as()), options_(std::move(options)), merges_(table_size(rules.size())) {
  for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    const char text = static_cast<char>(byte);
    const bool is_character = spelling_ == Spelling::Bytes;
    byte_ids_[byte] = vocabulary.id_of(is_character ? spell_bytes({&text, 1}) : name_of_byte(text)).value_or(kNone);
  }
  if (spelling_ != Spelling::Bytes) add_characters(vocabulary);
  add_rules(vocabulary, rules);
  add_whole_pieces(vocabulary);
}

void Bpe::add_characters(const Vocabulary& vocabulary) {
  for (std::int32_t id = 0; id < vocabulary.end_id(); ++id) {
    const std::string_view spelling = vocabulary.spelling(id);
    if (spelling.empty()) continue;
    const Utf8Char first = utf8_char(spelling.data());
    if (first.size != spelling.size()) continue;
    if (first.code >= character_ids_.size()) character_ids_.resize(first.code + 1, kNone);
    character_ids_[first.code] = id;
  }
}

/// A rule that is there twice counts where it comes last, as in `tokenizers`.
void Bpe::add_rules(const Vocabulary& vocabulary, std::span<const BpeRule> rules) {
  bool joins_words = false;
  for (const BpeRule& rule : rules) {
    const Merge merge{.pair = pair_of(rule.left, rule.right), .rank = rule.rank, .joined = rule.joined};
    std::size_t slot = mix(0, merge.pair) & (merges_.size() - 1);
    while (merges_[slot].pair != kNoPair && merges_[slot].pair != merge.pair) slot = (slot + 1) & (merges_.size() - 1);
    merges_[slot] = merge;
    joins_unknown_ |= BpeRule::is_unknown(rule.left) || BpeRule::is_unknown(rule.right);
    joins_words |= vocabulary.spelling(rule.right).starts_with(kMetaspace) &&
                   !vocabulary.spelling(rule.left).ends_with(kMetaspace);
  }
  cuts_before_spaces_ = spelling_ != Spelling::Bytes && !joins_words && id_of(kMetaspaceCode) != kNone &&
                        !options_.ignore_merges && options_.unused.empty();
}

const Bpe::Merge* Bpe::find_merge(std::int32_t left, std::int32_t right) const {
  const std::uint64_t pair = pair_of(left, right);
  for (std::size_t slot = mix(0, pair) & (merges_.size() - 1);; slot = (slot + 1) & (merges_.size() - 1)) {
    if (merges_[slot].pair == pair) return &merges_[slot];
    if (merges_[slot].pair == kNoPair) return nullptr;
  }
}

/// Most pieces of text are tokens. Those whose merges lead to the token itself are looked up as a whole: known once and
/// for all, so that no cache with a lock is needed.
void Bpe::add_whole_pieces(const Vocabulary& vocabulary) {
  const auto text_of = [&](std::int32_t id) {
    if (spelling_ != Spelling::Bytes) return vocabulary.spelling(id);
    return vocabulary.spells_bytes(id) ? vocabulary.bytes(id) : std::string_view();
  };
  Scratch scratch;
  std::vector<std::int32_t> wholes, ids;
  for (std::int32_t id = 0; id < vocabulary.end_id(); ++id) {
    if (text_of(id).empty()) continue;
    if (!options_.ignore_merges) {
      ids.clear();
      encode_word(text_of(id), scratch, ids);
      if (ids != std::vector{id}) continue;
    }
    wholes.push_back(id);
  }
  wholes_.resize(table_size(wholes.size()));
  bytes_.resize(static_cast<std::size_t>(vocabulary.end_id()));
  for (const std::int32_t id : wholes) {
    const std::string_view bytes = text_of(id);
    const std::uint64_t hash = hash_of(bytes);
    std::size_t slot = hash & (wholes_.size() - 1);
    while (wholes_[slot].id != kNone) slot = (slot + 1) & (wholes_.size() - 1);
    wholes_[slot] = {hash, id};
    bytes_[static_cast<std::size_t>(id)] = bytes;
    longest_whole_ = std::max(longest_whole_, bytes.size());
  }
}

std::int32_t Bpe::find_whole(std::string_view piece) const {
  if (piece.size() > longest_whole_) return kNone;
  const std::uint64_t hash = hash_of(piece);
  for (std::size_t slot = hash & (wholes_.size() - 1);; slot = (slot + 1) & (wholes_.size() - 1)) {
    const Whole& whole = wholes_[slot];
    if (whole.id == kNone) return kNone;
    if (whole.hash == hash && bytes_[static_cast<std::size_t>(whole.id)] == piece) return whole.id;
  }
}

void Bpe::encode(std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& ids) const {
  while (cuts_before_spaces_) {
    std::size_t word = 0;
    while (piece.substr(word).starts_with(kMetaspace)) word += kMetaspace.size();
    const std::size_t space = piece.find(kMetaspace, word);
    if (space == std::string_view::npos) break;
    encode_word(piece.substr(0, space), scratch, ids);
    piece.remove_prefix(space);
  }
  if (!piece.empty()) encode_word(piece, scratch, ids);
}

void Bpe::encode_word(std::string_view word, Scratch& scratch, std::vector<std::int32_t>& ids) const {
  if (const std::int32_t whole = find_whole(word); whole != kNone) return ids.push_back(whole);
  if (spelling_ == Spelling::Bytes) {
    start_bytes(word, scratch);
  } else {
    start_characters(word, scratch);
  }
  merge(scratch);
  bool last_unknown = false;
  for (const Scratch::Symbol& symbol : scratch.symbols) {
    if (symbol.id == kGone) continue;
    const bool fused = BpeRule::is_unknown(symbol.id) && !options_.byte_fallback && last_unknown;
    last_unknown = BpeRule::is_unknown(symbol.id);
    if (!fused) add_ids(symbol.id, scratch, ids);
  }
}

/// A symbol is a token, unless it is a character without one or a token that is not used.
void Bpe::add_ids(std::int32_t symbol, const Scratch& scratch, std::vector<std::int32_t>& ids) const {
  if (BpeRule::is_unknown(symbol)) {
    const auto bytes = utf8_of(BpeRule::character_of(symbol));
    if (!options_.byte_fallback && options_.unknown_id) ids.push_back(*options_.unknown_id);
    if (!options_.byte_fallback) return;
    for (const char byte : bytes) ids.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
    return;
  }
  const auto place = static_cast<std::size_t>(symbol);
  const bool is_unused = place < options_.unused.size() && options_.unused[place];
  const auto parts = is_unused ? scratch.parts_of_unused.find(symbol) : scratch.parts_of_unused.end();
  if (parts == scratch.parts_of_unused.end()) return ids.push_back(symbol);
  add_ids(static_cast<std::int32_t>(parts->second >> 32), scratch, ids);
  add_ids(static_cast<std::int32_t>(parts->second & UINT32_MAX), scratch, ids);
}

bool Bpe::covers_all_bytes() const { return std::find(byte_ids_.begin(), byte_ids_.end(), kNone) == byte_ids_.end(); }

std::int32_t Bpe::id_of(char32_t character) const {
  return character < character_ids_.size() ? character_ids_[character] : kNone;
}

void Bpe::start_bytes(std::string_view piece, Scratch& scratch) const {
  scratch.symbols.clear();
  bool last_unknown = false;
  for (const char byte : piece) {
    const std::int32_t known = byte_ids_[static_cast<unsigned char>(byte)];
    const bool fused = known == kNone && options_.fuse_unknown && last_unknown;
    last_unknown = known == kNone;
    if (!fused) scratch.add(known == kNone ? options_.unknown_id.value_or(kNone) : known);
  }
  scratch.end();
}

void Bpe::start_characters(std::string_view piece, Scratch& scratch) const {
  scratch.symbols.clear();
  int unknown = 0;  // unknown tokens to come; `tokenizers` puts them after the bytes that follow
  const auto add_unknown = [&] {
    for (; unknown > 0; --unknown) scratch.add(options_.unknown_id.value_or(kNone));
  };
  for (std::size_t at = 0; at < piece.size();) {
    const Utf8Char next = utf8_char(piece.data() + at);
    const std::string_view bytes = piece.substr(at, next.size);
    at += next.size;
    const auto byte_id = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
    if (const std::int32_t known = id_of(next.code); known != kNone) {
      add_unknown();
      scratch.add(known);
    } else if (joins_unknown_) {
      scratch.add(BpeRule::unknown(next.code));
    } else if (options_.byte_fallback &&
               std::none_of(bytes.begin(), bytes.end(), [&](char byte) { return byte_id(byte) == kNone; })) {
      for (const char byte : bytes) scratch.add(byte_id(byte));
    } else if (unknown == 0 || !options_.fuse_unknown) {
      if (unknown > 0) add_unknown();
      unknown = 1;
    }
  }
  add_unknown();
  scratch.end();
}

/// Queues the merge of the symbol at `left` with the next one, if a rule joins them.
void Bpe::propose(Scratch& scratch, std::int32_t left) const {
  const auto& symbols = scratch.symbols;
  if (left == kNone || symbols[static_cast<std::size_t>(left)].next == kNone) return;
  const Scratch::Symbol& symbol = symbols[static_cast<std::size_t>(left)];
  const std::int32_t right_id = symbols[static_cast<std::size_t>(symbol.next)].id;
  if (const Merge* found = find_merge(symbol.id, right_id)) {
    scratch.heap.push_back({found->rank, left, found->pair, found->joined});
    const auto joined = static_cast<std::size_t>(found->joined);
    if (joined < options_.unused.size() && options_.unused[joined])
      scratch.parts_of_unused[found->joined] = found->pair;
  }
}

void Bpe::merge(Scratch& scratch) const {
  const auto later = [](const Scratch::Candidate& a, const Scratch::Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  };
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  heap.clear();
  scratch.parts_of_unused.clear();
  for (std::size_t i = 0; i < symbols.size(); ++i) propose(scratch, static_cast<std::int32_t>(i));
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Scratch::Candidate best = heap.back();
    heap.pop_back();
    Scratch::Symbol& left = symbols[static_cast<std::size_t>(best.left)];
    if (left.id == kGone || left.next == kNone) continue;
    Scratch::Symbol& right = symbols[static_cast<std::size_t>(left.next)];
    if (pair_of(left.id, right.id) != best.pair) continue;  // one of the two has grown since
    left.id = best.joined;
    right.id = kGone;
    left.next = right.next;
    if (left.next != kNone) symbols[static_cast<std::size_t>(left.next)].previous = best.left;
    for (const std::int32_t place : {left.previous, best.left}) {
      const std::size_t before = heap.size();
      propose(scratch, place);
      if (heap.size() > before) std::push_heap(heap.begin(), heap.end(), later);
    }
  }
}

}  // namespace lathe
