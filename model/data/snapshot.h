#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "model/data/receipt.h"

namespace lathe {

/// A token as the user reads it: its id and its text, with spaces and newlines made visible by the view.
struct TokenText {
  std::int64_t id = 0;
  std::string text;
};

/// Softmax weights of one head over a prompt, row = query, column = key; above the diagonal is masked, not zero.
struct AttentionMap {
  std::int64_t layer = 0;
  std::int64_t head = 0;
  std::int64_t num_tokens = 0;    ///< before pooling
  std::int64_t side = 0;          ///< rows and columns of `weights`
  std::int64_t pool = 1;          ///< each cell is the maximum over pool x pool weights
  std::vector<float> weights;     ///< side * side, row-major
  std::vector<TokenText> tokens;  ///< num_tokens
  std::int64_t version = 0;
};

/// Which experts each token of a prompt went to in one MoE layer, best first.
struct RouterChoices {
  std::int64_t layer = 0;
  std::int64_t num_experts = 0;
  std::int64_t top_k = 0;
  std::vector<TokenText> tokens;
  std::vector<std::int32_t> experts;  ///< tokens * top_k
  std::vector<float> weights;         ///< tokens * top_k
  std::int64_t version = 0;
};

/// Eigenvalues of the second moment of one MLA layer's latents as they are now, over the tokens last seen.
struct LiveLatent {
  std::int64_t layer = 0;
  std::int64_t num_tokens = 0;
  std::vector<float> eigenvalues;  ///< descending, kv_lora_rank of them
  std::int64_t step = 0;
  std::int64_t version = 0;
};

enum class PictureKind { Attention, RouterChoices, LiveLatent };

/// What a view shows right now: the engine makes only these pictures.
struct Watch {
  PictureKind kind = PictureKind::Attention;
  std::int64_t layer = 0;
  std::int64_t head = 0;
  std::int64_t max_side = 512;
  std::string prompt;  ///< text to look at; empty: what was last generated or trained on

  bool operator==(const Watch&) const = default;
};

using Snapshot = std::variant<std::shared_ptr<const AttentionMap>, std::shared_ptr<const RouterChoices>,
                              std::shared_ptr<const LiveLatent>>;

}  // namespace lathe
