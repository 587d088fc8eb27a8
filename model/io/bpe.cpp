#include "model/io/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "model/data/error.h"
#include "model/io/byte_level.h"

namespace lathe {

namespace {

constexpr std::int32_t kNone = -1;
constexpr std::int32_t kGone = -2;  // id of a symbol that was merged into the one on its left

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

Bpe::Bpe(const Vocabulary& vocabulary, const std::vector<MergeRule>& rules, BpeOptions options,
         const std::string& where)
    : fuse_unknown_(options.fuse_unknown), merges_(table_size(rules.size())) {
  for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    const char text = static_cast<char>(byte);
    byte_ids_[byte] = vocabulary.id_of(spell_bytes({&text, 1})).value_or(kNone);
  }
  if (options.unknown_token) {
    const auto id = vocabulary.id_of(*options.unknown_token);
    check(id.has_value(), "[tokenizer] the unknown token \"", *options.unknown_token,
          "\" is not in the vocabulary; in: ", where);
    unknown_id_ = *id;
  }
  for (std::size_t rank = 0; rank < rules.size(); ++rank) {
    const auto& [left, right] = rules[rank];
    const auto id = [&](const std::string& token) {
      const auto found = vocabulary.id_of(token);
      check(found.has_value(), "[tokenizer] merge ", rank, " (\"", left, "\" + \"", right, "\"): token \"", token,
            "\" is not in the vocabulary; in: ", where);
      return *found;
    };
    const std::int32_t joined = id(left + right);
    add_rule(id(left), id(right), {.rank = static_cast<std::uint32_t>(rank), .joined = joined});
  }
  add_whole_pieces(vocabulary, options.ignore_merges);
}

/// A rule that is there twice counts where it comes last, as in `tokenizers`.
void Bpe::add_rule(std::int32_t left, std::int32_t right, Merge merge) {
  merge.pair = pair_of(left, right);
  std::size_t slot = mix(0, merge.pair) & (merges_.size() - 1);
  while (merges_[slot].pair != kNoPair && merges_[slot].pair != merge.pair) slot = (slot + 1) & (merges_.size() - 1);
  merges_[slot] = merge;
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
void Bpe::add_whole_pieces(const Vocabulary& vocabulary, bool ignore_merges) {
  Scratch scratch;
  std::vector<std::int32_t> wholes, ids;
  for (std::int32_t id = 0; id < vocabulary.end_id(); ++id) {
    const std::string_view bytes = vocabulary.bytes(id);
    if (!vocabulary.spells_bytes(id) || bytes.empty()) continue;
    if (!ignore_merges) {
      ids.clear();
      encode(bytes, scratch, ids);
      if (ids != std::vector{id}) continue;
    }
    wholes.push_back(id);
  }
  wholes_.resize(table_size(wholes.size()));
  bytes_.resize(static_cast<std::size_t>(vocabulary.end_id()));
  for (const std::int32_t id : wholes) {
    const std::string_view bytes = vocabulary.bytes(id);
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
  if (const std::int32_t whole = find_whole(piece); whole != kNone) return ids.push_back(whole);
  start_symbols(piece, scratch);
  merge(scratch);
  for (const Scratch::Symbol& symbol : scratch.symbols) {
    if (symbol.id != kGone) ids.push_back(symbol.id);
  }
}

bool Bpe::covers_all_bytes() const { return std::find(byte_ids_.begin(), byte_ids_.end(), kNone) == byte_ids_.end(); }

void Bpe::start_symbols(std::string_view piece, Scratch& scratch) const {
  auto& symbols = scratch.symbols;
  symbols.clear();
  bool last_unknown = false;
  for (const char byte : piece) {
    const std::int32_t known = byte_ids_[static_cast<unsigned char>(byte)];
    const bool fused = known == kNone && fuse_unknown_ && last_unknown;
    last_unknown = known == kNone;
    const std::int32_t id = known == kNone ? unknown_id_ : known;
    if (id == kNone || fused) continue;
    const auto place = static_cast<std::int32_t>(symbols.size());
    symbols.push_back({id, place - 1, place + 1});
  }
  if (!symbols.empty()) symbols.back().next = kNone;
}

/// Queues the merge of the symbol at `left` with the next one, if a rule joins them.
void Bpe::propose(Scratch& scratch, std::int32_t left) const {
  const auto& symbols = scratch.symbols;
  if (left == kNone || symbols[static_cast<std::size_t>(left)].next == kNone) return;
  const Scratch::Symbol& symbol = symbols[static_cast<std::size_t>(left)];
  const std::int32_t right_id = symbols[static_cast<std::size_t>(symbol.next)].id;
  if (const Merge* found = find_merge(symbol.id, right_id)) {
    scratch.heap.push_back({found->rank, left, found->pair, found->joined});
  }
}

void Bpe::merge(Scratch& scratch) const {
  const auto later = [](const Scratch::Candidate& a, const Scratch::Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  };
  auto& [symbols, heap] = scratch;
  heap.clear();
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
