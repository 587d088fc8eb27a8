#include "model/nn/compare.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>

#include <cmath>
#include <limits>
#include <map>

#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/io/model_folder.h"
#include "model/nn/forward.h"
#include "model/nn/load.h"
#include "model/nn/names.h"

namespace lathe {
namespace {

constexpr std::int64_t kTokens = 32;

/// Ids spread over the vocabulary, the same in every run.
at::Tensor fixed_ids(const ModelConfig& config) {
  const std::int64_t tokens = std::min(kTokens, config.max_position_embeddings);
  return (at::arange(tokens, at::kLong) * 7919 + 1).remainder(config.vocab_size).unsqueeze(0);
}

TensorDifference difference_of(const std::string& name, const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return {name, text("shape ", a.sizes(), " and ", b.sizes()), 0.0, 0};
  const at::Tensor difference = (a.to(at::kFloat) - b.to(a.device(), at::kFloat)).abs();
  const std::int64_t differing = difference.ne(0).sum().item<std::int64_t>();  // NaN differs too
  if (differing == 0) return {};
  return {name, "values", difference.max().item<double>(), differing};
}

double largest(const at::Tensor& values) {
  const double size = values.numel() == 0 ? 0.0 : values.abs().max().item<double>();
  return std::isfinite(size) ? size : std::numeric_limits<double>::infinity();
}

void compare_logits(const Model& a, const Model& b, ModelDifference& difference) {
  if (a.config.vocab_size != b.config.vocab_size) {
    throw Error({.code = ErrorCode::Verify,
                 .what = "the models have different vocabularies",
                 .where = "vocab_size",
                 .got = text(b.config.vocab_size),
                 .expected = text(a.config.vocab_size),
                 .hint = "compare models that have the same tokenizer"});
  }
  const at::NoGradGuard no_grad;
  const at::Tensor ids_BT = fixed_ids(a.config);
  const at::Tensor logits_a = forward(a, ids_BT.to(a.device())).to(at::kCPU, at::kFloat);
  const at::Tensor logits_b = forward(b, ids_BT.to(b.device())).to(at::kCPU, at::kFloat);
  difference.logits = largest(logits_a - logits_b);
  difference.logit_size = largest(logits_a);
  difference.tokens = ids_BT.size(1);
}

/// By how much logits may differ that were computed from the same values in another order or in another dtype.
double tolerance_of(at::ScalarType dtype, bool same_dtype, double logit_size) {
  const double relative = dtype == at::kFloat ? 1e-5 : same_dtype ? 2e-2 : 5e-2;
  return 1e-4 + relative * logit_size;
}

}  // namespace

ModelDifference compare_models(const Model& a, const Model& b, const Job& job) {
  std::map<std::string, at::Tensor> of_b;
  for (NamedTensor& named : model_tensors(b)) of_b.emplace(std::move(named.name), std::move(named.tensor));
  ModelDifference difference;
  const std::vector<NamedTensor> of_a = model_tensors(a);
  const auto total = static_cast<std::int64_t>(of_a.size());
  for (const NamedTensor& named : of_a) {
    job.progress("compare", "tensors", difference.tensors++, total);
    const auto found = of_b.find(named.name);
    if (found == of_b.end()) {
      difference.differing.push_back({named.name, "missing in the second", 0.0, 0});
      continue;
    }
    const TensorDifference one = difference_of(named.name, named.tensor, found->second);
    if (!one.what.empty()) difference.differing.push_back(one);
    of_b.erase(found);
  }
  for (const auto& [name, tensor] : of_b) difference.differing.push_back({name, "missing in the first", 0.0, 0});
  compare_logits(a, b, difference);
  return difference;
}

ModelDifference verify_saved(const std::filesystem::path& folder, const Model& model, at::ScalarType dtype,
                             bool same_tensors, const Job& job) {
  const auto refuse = [&](std::string what, std::string got, std::string expected) {
    throw Error({.code = ErrorCode::Verify,
                 .what = std::move(what),
                 .where = folder.string(),
                 .got = std::move(got),
                 .expected = std::move(expected),
                 .hint = "what was there before is untouched; check the disk, then save again"});
  };
  if (const auto problems = verify_model_folder(folder, job); !problems.empty()) throw Error(problems.front());
  const Model again = load_model(open_checkpoint(folder), {.device = model.device(), .dtype = model.dtype()}, job);
  const ModelDifference difference = compare_models(model, again, job);
  if (same_tensors && dtype == model.dtype() && !difference.differing.empty()) {
    const TensorDifference& first = difference.differing.front();
    refuse("what was read back is not the model", text(first.name, ": ", first.what), "every tensor as it was");
  }
  const double tolerance = tolerance_of(dtype, dtype == model.dtype(), difference.logit_size);
  if (!(difference.logits <= tolerance)) {
    refuse("what was read back gives other logits", text("a difference of ", difference.logits),
           text("at most ", tolerance));
  }
  return difference;
}

}  // namespace lathe
