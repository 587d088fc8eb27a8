#include "converters/mla/rope_choice.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/block_diag.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/real.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <vector>

#include "converters/mla/rorope.h"
#include "model/nn/rope.h"

// L = 2 J width of the merged key, G heads of which each has a pair of a frequency

namespace lathe {
namespace {

constexpr double kSmallestQuery = 1e-6;  // of the largest: what no query reads must still be undone

// z -> A z on complex numbers, as a matrix on [real parts, imaginary parts].
at::Tensor as_real(const at::Tensor& complex_JJ) {
  const at::Tensor re = at::real(complex_JJ), im = at::imag(complex_JJ);
  return at::cat({at::cat({re, -im}, 1), at::cat({im, re}, 1)}, 0);
}

// E[k k^H] of the pairs as complex numbers, from the moment of [real parts, imaginary parts].
at::Tensor complex_moment(const at::Tensor& moment_MM, std::int64_t pairs) {
  const auto block = [&](std::int64_t row, std::int64_t column) {
    return moment_MM.narrow(0, row * pairs, pairs).narrow(1, column * pairs, pairs);
  };
  return at::complex(block(0, 0) + block(1, 1), block(1, 0) - block(0, 1));
}

/// One component of one frequency: a row of the basis.
struct Component {
  double loses = 0.0;
  std::int64_t frequency = 0;
  at::Tensor row_J;
};

std::vector<Component> components_of(const at::Tensor& scores_JJ, std::int64_t heads, const MeanTurn& turn) {
  const std::int64_t pairs = scores_JJ.size(0), frequencies = pairs / heads;
  std::vector<Component> components;
  for (std::int64_t frequency = 0; frequency < frequencies; ++frequency) {
    const at::Tensor places = at::arange(frequency, pairs, frequencies, at::kLong).to(scores_JJ.device());
    const auto [values_G, vectors_GG] = at::linalg_eigh(scores_JJ.index_select(0, places).index_select(1, places));
    const double spread = turn.spread_F[frequency].item<double>();
    for (std::int64_t i = heads - 1; i >= 0; --i) {
      const at::Tensor row_J =
          at::zeros({pairs}, scores_JJ.options()).index_copy(0, places, vectors_GG.select(1, i).conj().resolve_conj());
      components.push_back({std::max(values_G[i].item<double>(), 0.0) * spread, frequency, row_J});
    }
  }
  std::ranges::stable_sort(components, std::greater<>(), &Component::loses);
  return components;
}

}  // namespace

MeanTurn mean_turn(const ModelConfig& config, std::int64_t context_length) {
  const at::Tensor distances_T = at::arange(context_length, at::TensorOptions().dtype(at::kDouble));
  const at::Tensor weights_T = (distances_T + 1.0).reciprocal();
  const at::Tensor shares_T = weights_T / weights_T.sum();
  const at::Tensor angles_TF = at::outer(distances_T, rope_frequencies(config).to(at::kDouble));
  MeanTurn turn;
  turn.cos_F = shares_T.matmul(angles_TF.cos());
  turn.sin_F = -shares_T.matmul(angles_TF.sin());
  turn.spread_F = (1.0 - turn.cos_F.square() - turn.sin_F.square()).clamp_min(0.0);
  return turn;
}

at::Tensor query_sizes(const MergedAttention& attention, const at::Tensor& inputs_XX) {
  const std::int64_t heads = attention.query_HKX.size(0), pairs_of_head = attention.query_HKX.size(1) / 2;
  const at::Tensor energy_HK = (attention.query_HKX.matmul(inputs_XX) * attention.query_HKX).sum(-1);
  const at::Tensor energy_HF =
      energy_HK.narrow(1, 0, pairs_of_head) + energy_HK.narrow(1, pairs_of_head, pairs_of_head);
  const std::int64_t groups = attention.key_LX.size(0) / (2 * pairs_of_head);
  const at::Tensor sizes_J =
      energy_HF.reshape({groups, heads / groups, pairs_of_head}).mean(1).flatten().clamp_min(0).sqrt();
  const double largest = sizes_J.max().item<double>();
  return largest == 0.0 ? at::ones_like(sizes_J) : sizes_J.clamp_min(largest * kSmallestQuery);
}

MergedAttention rotate_for_queries(const MergedAttention& attention, const at::Tensor& sizes_J, const MeanTurn& turn) {
  const std::int64_t pairs = sizes_J.size(0);
  const std::int64_t heads = pairs / turn.spread_F.size(0);
  const at::Tensor scores_JJ = complex_moment(attention.moment_MM, pairs) * at::outer(sizes_J, sizes_J);
  std::vector<at::Tensor> rows;
  MergedAttention rotated = attention;
  rotated.rope_pairs.clear();
  for (const Component& component : components_of(scores_JJ, heads, turn)) {
    rows.push_back(component.row_J);
    rotated.rope_pairs.push_back(component.frequency);
  }
  const at::Tensor basis_JJ = at::stack(rows);
  const std::vector<std::int64_t> frequencies = rotated.rope_pairs;
  rotated = change_key_basis(attention, as_real(basis_JJ * sizes_J), as_real(basis_JJ / sizes_J));
  rotated.rope_pairs = frequencies;
  return rotated;
}

MergedAttention drop_rope_to_mean(const MergedAttention& attention, std::int64_t kept, const MeanTurn& turn) {
  const at::Tensor chosen = at::tensor(attention.rope_pairs, at::kLong);
  at::Tensor cos_J = turn.cos_F.index_select(0, chosen), sin_J = turn.sin_F.index_select(0, chosen);
  cos_J.narrow(0, 0, kept).fill_(1.0);
  sin_J.narrow(0, 0, kept).fill_(0.0);
  // A score is Re(conj(q) c k): the key may stay as it is if the query turns by conj(c).
  const at::Tensor turned_LL = as_real(at::diag(at::complex(cos_J, -sin_J))).to(attention.key_LX.device());
  MergedAttention turned = attention;
  turned.key_up_HKL = attention.key_up_HKL.matmul(turned_LL.t());
  return drop_rope(turned, kept);
}

}  // namespace lathe
