#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

#include "model/nn/layer.h"

namespace lathe {

// T tokens, F rotary pairs, K rotated dims = 2 F

/// Cosines and sines of the rotary angles [T,F], times YaRN's attention factor.
struct RopeTable {
  at::Tensor cos_TF, sin_TF;
};

/// The model's head_dim / 2 angular frequencies in radians per token, fp32 on the CPU, scaled as its config says.
/// Source: Hugging Face modeling_rope_utils (default, linear, llama3, yarn), in the same fp32 steps.
at::Tensor rope_frequencies(const ModelConfig& config);

/// Positions [first, first + count) of a sequence.
struct PositionRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// Angles of the positions, computed on the device.
RopeTable make_rope_table(const ModelConfig& config, const PositionRange& positions, at::Device device);

/// The columns of `table` that the rotary pairs of an MLA layer turn with (AttentionConfig::rope_pairs).
RopeTable select_rope_pairs(const RopeTable& table, const std::vector<std::int64_t>& rope_pairs);

/// The tables of a range of positions: the model's own, and one for each selection of pairs that an MLA layer asks for,
/// made when it is first asked for. In the model's dtype on a GPU, where casting them for each layer would cost more
/// than turning with them; fp32 on the CPU. For one thread.
class RopeTables {
 public:
  RopeTables(const Model& model, const PositionRange& positions);

  /// The rows of `positions`, which must be among those that the tables were made for.
  RopeTable all(const PositionRange& positions) const;
  RopeTable selected(const PositionRange& positions, const std::vector<std::int64_t>& rope_pairs);

 private:
  RopeTable rows(const RopeTable& table, const PositionRange& positions) const;

  std::int64_t first_ = 0;
  RopeTable all_;
  std::map<std::vector<std::int64_t>, RopeTable> selected_;
};

/// Turns the pairs (x[i], x[i + F]) of the last dimension. Shapes: x [...,T,K] -> the same.
at::Tensor apply_rope(const at::Tensor& x, const RopeTable& table);

}  // namespace lathe
