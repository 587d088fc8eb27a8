#include "model/train/text_batches.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>

#include "model/data/error.h"

namespace lathe {

// N tokens of a text, B sequences, T tokens of a sequence

namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 16;
constexpr std::size_t kPieceSlackBytes = std::size_t{1} << 20;

/// The counter-based mixer of SplitMix64 (Steele et al., OOPSLA 2014): the same everywhere, unlike std's distributions.
std::uint64_t mix(std::uint64_t state) {
  state += 0x9E3779B97F4A7C15ULL;
  state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9ULL;
  state = (state ^ (state >> 27)) * 0x94D049BB133111EBULL;
  return state ^ (state >> 31);
}

std::uint64_t draw(std::uint64_t seed, std::uint64_t epoch, std::uint64_t counter) {
  return mix(mix(mix(seed) ^ epoch) ^ counter);
}

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

/// Where the piece that starts at `begin` may end: at a single space between two letters, which every byte-level
/// pre-tokenizer cuts at too. Text without such a place is one piece.
std::size_t piece_end(std::string_view text, std::size_t begin) {
  const std::size_t last = std::min(text.size(), begin + kPieceSlackBytes);
  for (std::size_t at = begin + kPieceBytes; at + 1 < last; ++at) {
    if (text[at] == ' ' && is_letter(text[at - 1]) && is_letter(text[at + 1])) return at;
  }
  return text.size();
}

}  // namespace

std::filesystem::path text_path(const std::string& text, const std::filesystem::path& assets) {
  return text.empty() ? assets / "text" / "prose.txt" : std::filesystem::path(text);
}

at::Tensor tokenize_text(const Tokenizer& tokenizer, std::string_view text, const Job& job) {
  std::vector<std::int64_t> ids;
  ids.reserve(text.size() / 3);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = piece_end(text, begin);
    for (const std::int32_t id : tokenizer.encode(text.substr(begin, end - begin), {.add_special_tokens = false})) {
      ids.push_back(id);
    }
    begin = end;
    job.progress("Tokenising", "bytes", static_cast<std::int64_t>(begin), static_cast<std::int64_t>(text.size()));
  }
  at::Tensor ids_N = at::empty({static_cast<std::int64_t>(ids.size())}, at::kLong);
  std::ranges::copy(ids, ids_N.mutable_data_ptr<std::int64_t>());
  return ids_N;
}

TextSplit split_text(const at::Tensor& ids_N, std::int64_t window) {
  const std::int64_t total = ids_N.numel();
  const std::int64_t held_out = std::max(window, total / 10);
  check(total - held_out > window, "[text] the text has ", total, " tokens; expected more than ", 2 * window,
        " so that one window of ", window,
        " tokens can be learnt from and one measured on; use a longer text or a shorter window");
  return {.fit_N = ids_N.slice(0, 0, total - held_out), .held_out_N = ids_N.slice(0, total - held_out)};
}

TextBatches::TextBatches(at::Tensor ids_N, const BatchOptions& options) : ids_N_(std::move(ids_N)), options_(options) {
  const std::int64_t tokens = ids_N_.numel();
  check(tokens > options_.seq_len, "[text] the text has ", tokens, " tokens; expected at least ", options_.seq_len + 1,
        " for sequences of ", options_.seq_len, "; use a longer text or shorter sequences");
  // One window less than fits leaves room for an offset of up to seq_len - 1; a text of one window has offset 0.
  windows_ = std::max<std::int64_t>(1, (tokens - options_.seq_len) / options_.seq_len);
}

void TextBatches::shuffle(std::int64_t epoch) {
  if (epoch == epoch_) return;
  epoch_ = epoch;
  const auto number = static_cast<std::uint64_t>(epoch);
  const std::int64_t room = ids_N_.numel() - 1 - windows_ * options_.seq_len;
  const std::int64_t offsets = std::min(room + 1, options_.seq_len);
  offset_ = static_cast<std::int64_t>(draw(options_.seed, number, 0) % static_cast<std::uint64_t>(offsets));
  order_.resize(static_cast<std::size_t>(windows_));
  std::iota(order_.begin(), order_.end(), 0);
  for (std::size_t left = order_.size(); left > 1; --left) {
    std::swap(order_[left - 1], order_[draw(options_.seed, number, left) % left]);
  }
}

at::Tensor TextBatches::batch(std::int64_t index) {
  std::vector<at::Tensor> rows;
  for (std::int64_t row = 0; row < options_.batch; ++row) {
    const std::int64_t sequence = index * options_.batch + row;
    shuffle(sequence / windows_);
    const std::int64_t window = order_[static_cast<std::size_t>(sequence % windows_)];
    const std::int64_t begin = offset_ + window * options_.seq_len;
    rows.push_back(ids_N_.slice(0, begin, begin + options_.seq_len + 1));
  }
  return at::stack(rows);
}

}  // namespace lathe
