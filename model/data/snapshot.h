#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "model/data/model_preview.h"
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

/// A part of a tensor seen as a matrix: its rows are all dimensions but the last. No rows or no columns: all of them.
struct TensorRegion {
  std::int64_t first_row = 0, rows = 0;
  std::int64_t first_column = 0, columns = 0;

  bool operator==(const TensorRegion&) const = default;
};

/// Over all values of a tensor. What is not finite counts in `nan` and `inf` alone.
struct TensorFigures {
  std::int64_t nan = 0, inf = 0;
  double min = 0.0, max = 0.0, mean = 0.0, stddev = 0.0;  ///< of the finite values; all 0 if there is none
  std::vector<std::int64_t> histogram{};                ///< equal bins from min to max
};

/// One tensor: its figures, and a region of it in cells of equal size. A cell that holds a value which is not finite is
/// NaN in all three.
struct TensorPicture {
  std::string name;
  bool original = false;  ///< of the resident original instead of the model as it is now
  std::vector<std::int64_t> shape;
  std::string dtype;
  std::int64_t rows = 0, columns = 0;  ///< of the whole tensor as a matrix
  TensorFigures figures;
  TensorRegion region;
  std::int64_t tall = 0, wide = 0;     ///< cells
  std::vector<float> low, high, mean;  ///< of each cell's values; tall * wide, row-major
  std::int64_t version = 0;
};

enum class PictureKind { Attention, RouterChoices, LiveLatent, Tensor };

/// What a view shows right now: the engine makes only these pictures.
struct Watch {
  PictureKind kind = PictureKind::Attention;
  std::int64_t layer = 0;
  std::int64_t head = 0;
  std::int64_t max_side = 512;
  std::string prompt;        ///< text to look at; empty: what was last generated or trained on
  std::string tensor = {};   ///< its name
  bool original = false;     ///< of the resident original
  TensorRegion region = {};  ///< of the tensor

  bool operator==(const Watch&) const = default;
};

using Snapshot = std::variant<std::shared_ptr<const AttentionMap>, std::shared_ptr<const RouterChoices>,
                              std::shared_ptr<const LiveLatent>, std::shared_ptr<const TensorPicture>,
                              std::shared_ptr<const ModelPreview>>;

}  // namespace lathe
