#include "converters/mla/rorope.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/block_diag.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

// J = L / 2 pairs, L width of the merged key, M = 2 L

namespace lathe {
namespace {

// The pairs (head, frequency) of one group of adjacent frequencies, as rows of the merged key's first half.
std::vector<std::int64_t> group_pairs(const ModelConfig& config, std::int64_t first_frequency, std::int64_t freqfold) {
  std::vector<std::int64_t> pairs;
  for (std::int64_t head = 0; head < config.num_key_value_heads; ++head)
    for (std::int64_t fold = 0; fold < freqfold; ++fold)
      pairs.push_back(head * config.head_dim / 2 + first_frequency + fold);
  return pairs;
}

// The reference adds 1 % of the mean diagonal before decomposing; that shifts all eigenvalues alike and leaves the
// vectors as they are, so the spectrum stays undamped here.
at::Tensor principal_components(const at::Tensor& moment) { return std::get<1>(at::linalg_eigh(moment)).flip(1).t(); }

}  // namespace

MergedAttention rotate_pairs(const MergedAttention& attention, const MlaPlan& plan, const ModelConfig& config) {
  const std::int64_t pairs = attention.key_LX.size(0) / 2;
  const std::int64_t groups = config.head_dim / 2 / plan.freqfold;
  const std::int64_t kept = plan.qk_rope_head_dim / 2 / groups;
  // Every component of a group gets one of the frequencies that the group's kept components use, in turn.
  const std::vector<std::int64_t> kept_frequencies = planned_rope_pairs(plan, config);
  const at::Tensor moment_JJ = attention.moment_MM.narrow(0, 0, pairs).narrow(1, 0, pairs) +
                               attention.moment_MM.narrow(0, pairs, pairs).narrow(1, pairs, pairs);
  std::vector<at::Tensor> first, rest;
  std::vector<std::int64_t> first_frequencies, rest_frequencies;
  for (std::int64_t group = 0; group < groups; ++group) {
    const at::Tensor rows =
        at::tensor(group_pairs(config, group * plan.freqfold, plan.freqfold), at::kLong).to(moment_JJ.device());
    const at::Tensor components = principal_components(moment_JJ.index_select(0, rows).index_select(1, rows));
    const at::Tensor basis = at::zeros({rows.size(0), pairs}, moment_JJ.options()).index_copy(1, rows, components);
    first.push_back(basis.narrow(0, 0, kept));
    rest.push_back(basis.narrow(0, kept, basis.size(0) - kept));
    for (std::int64_t i = 0; i < basis.size(0); ++i) {
      const std::int64_t frequency = kept_frequencies[static_cast<std::size_t>(group * kept + i % kept)];
      (i < kept ? first_frequencies : rest_frequencies).push_back(frequency);
    }
  }
  first.insert(first.end(), rest.begin(), rest.end());
  const at::Tensor basis_JJ = at::cat(first);
  const at::Tensor basis_LL = at::block_diag({basis_JJ, basis_JJ});
  MergedAttention rotated = change_key_basis(attention, basis_LL, basis_LL);
  rotated.rope_pairs = first_frequencies;
  rotated.rope_pairs.insert(rotated.rope_pairs.end(), rest_frequencies.begin(), rest_frequencies.end());
  return rotated;
}

MergedAttention drop_rope(const MergedAttention& attention, std::int64_t kept) {
  const std::int64_t width = attention.key_LX.size(0);
  const std::int64_t pairs = width / 2;
  std::vector<std::int64_t> order;
  for (const auto& [from, to] : {std::pair{std::int64_t{0}, kept}, std::pair{kept, pairs}})
    for (const std::int64_t half : {std::int64_t{0}, pairs})
      for (std::int64_t pair = from; pair < to; ++pair) order.push_back(half + pair);
  const at::Tensor key_order = at::tensor(order, at::kLong).to(attention.key_LX.device());
  for (std::int64_t i = 0; i < width; ++i) order.push_back(width + i);
  const at::Tensor moment_order = at::tensor(order, at::kLong).to(attention.key_LX.device());
  MergedAttention dropped = attention;
  dropped.key_LX = attention.key_LX.index_select(0, key_order);
  dropped.key_up_HKL = attention.key_up_HKL.index_select(2, key_order);
  const auto reordered = [&](const at::Tensor& moment_MM) {
    return moment_MM.defined() ? moment_MM.index_select(0, moment_order).index_select(1, moment_order) : moment_MM;
  };
  dropped.moment_MM = reordered(attention.moment_MM);
  dropped.fisher_MM = reordered(attention.fisher_MM);
  dropped.rope_pairs.resize(static_cast<std::size_t>(kept));
  return dropped;
}

}  // namespace lathe
