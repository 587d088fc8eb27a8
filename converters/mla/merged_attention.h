#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/data/config.h"
#include "model/nn/layer.h"
#include "model/nn/rope.h"

namespace lathe {

// B windows, T tokens, D hidden_size, X = D + 1 (the last column is the bias), H query heads, G key-value heads,
// K head_dim, L = G * K width of the merged key and value, P rotated dims, M = 2 L

/// Attention on its way from GQA to MLA, in fp64: all heads share one key and one value of width L.
/// score_h = (query_h x) . key_up_h . (key x) / sqrt(K), output_h = value_up_h . sum of weights * (value x).
/// RoPE turns the first P = 2 * rope_pairs.size() dims of the key, half-split, and the same dims of key_up_h^T query_h.
struct MergedAttention {
  at::Tensor query_HKX;
  at::Tensor key_LX;
  at::Tensor key_up_HKL;
  at::Tensor value_LX;
  at::Tensor value_up_HKL;
  std::vector<std::int64_t> rope_pairs;  ///< which of the model's frequencies each rotated pair turns with
  Linear output;                         ///< as in the layer
  bool has_bias = false;                 ///< whether the layer's projections have biases
  at::Tensor moment_MM;                  ///< E[z z^T] of z = [key; value] over the calibration tokens, uncentred
  at::Tensor fisher_MM;                  ///< E[g g^T] of g = d NLL / dz; undefined where a method needs none
};

/// Joins the key-value heads: exact. The pairs of head 0 come first, then those of head 1, ...; all first parts, then
/// all second parts. Leaves the moments undefined.  Source: TransMLA, arXiv:2502.07864, section 4.1.
MergedAttention merge_heads(const ModelConfig& config, const GroupedQueryAttention& attention);

/// Rows and columns of a moment [M,M] of k_proj's and v_proj's outputs, as merge_heads() orders keys and values.
at::Tensor in_merged_order(const ModelConfig& config, const at::Tensor& moment_MM);

/// The same attention with key' = basis key. `dual_LL` is the inverse of basis_LL, transposed (for an orthogonal basis
/// the basis itself): what reads the key, key_up and the gradient, follows by it. rope_pairs stay as they are.
MergedAttention change_key_basis(const MergedAttention& attention, const at::Tensor& basis_LL,
                                 const at::Tensor& dual_LL);

/// Key and value of each token: x_BTD -> fp32 [B,T,2L].
at::Tensor keys_and_values(const MergedAttention& attention, const at::Tensor& x_BTD);

/// What the attention block makes of its normed inputs, computed in fp32: x_BTD -> [B,T,D].
at::Tensor merged_forward(const MergedAttention& attention, const at::Tensor& x_BTD, const RopeTable& table);

}  // namespace lathe
