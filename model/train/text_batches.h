#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "model/data/job.h"
#include "model/io/tokenizer.h"

namespace lathe {

// N tokens of a text, B sequences, T tokens of a sequence

/// The text that ships with the program: `text` as it is, or assets/text/prose.txt below `assets` when it is empty.
std::filesystem::path text_path(const std::string& text, const std::filesystem::path& assets);

/// Ids of `text` without special tokens, [N] int64 on the CPU, equal to one encode() of the whole. Works piece by piece
/// so that it can report and stop.  Throws Cancelled.
at::Tensor tokenize_text(const Tokenizer& tokenizer, std::string_view text, const Job& job = {});

/// A text cut in two: weights and statistics are fitted to `fit_N`, losses are measured on `held_out_N`.
struct TextSplit {
  at::Tensor fit_N;
  at::Tensor held_out_N;
};

/// Holds out the last tenth, and at least one window of `window` tokens.
/// Throws Error if the text is too short for one window in each part.
TextSplit split_text(const at::Tensor& ids_N, std::int64_t window);

/// What a batch is cut from: the ids and how.
struct BatchOptions {
  std::int64_t seq_len = 256;  ///< T
  std::int64_t batch = 1;      ///< B
  std::uint64_t seed = 0;
};

/// Endless shuffled batches of a text. Batch `index` is a pure function of ids, options and index: that is what makes a
/// resumed run see the same data. Every epoch uses each window once, in a new order and cut at a new offset.
class TextBatches {
 public:
  /// Throws Error if the text has fewer than seq_len + 1 tokens.
  TextBatches(at::Tensor ids_N, const BatchOptions& options);

  /// [B, T+1] int64 on the CPU: inputs are the first T of a row, targets the last T.
  at::Tensor batch(std::int64_t index);

  std::int64_t windows_per_epoch() const { return windows_; }
  std::int64_t num_tokens() const { return ids_N_.numel(); }

 private:
  void shuffle(std::int64_t epoch);

  at::Tensor ids_N_;
  BatchOptions options_;
  std::int64_t windows_ = 0;
  std::int64_t epoch_ = -1;
  std::int64_t offset_ = 0;
  std::vector<std::int64_t> order_;
};

}  // namespace lathe
