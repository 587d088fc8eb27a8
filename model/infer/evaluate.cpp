#include "model/infer/evaluate.h"

#include <ATen/ops/_log_softmax.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gather.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "model/nn/forward.h"

namespace lathe {
namespace {

// B windows read together, W tokens of a window, D hidden_size, V vocabulary, N positions, all windows of B in a row

/// Tokens in one forward call, and logits that exist at one time: both bound memory, not the result.
std::int64_t forward_tokens(const Model& model) { return model.device().is_cpu() ? 1024 : 16384; }
constexpr std::int64_t kLogitValues = 8 * 1024 * 1024;

/// Sums over positions; means are taken at the end.
struct Totals {
  double nll = 0, kl = 0, agreed = 0;
  std::int64_t targets = 0;
};

at::Tensor log_probabilities(const Model& model, const at::Tensor& hidden_ND) {
  return at::_log_softmax(output_logits(model, hidden_ND.unsqueeze(0))[0].to(at::kFloat), /*dim=*/-1,
                          /*half_to_float=*/false);
}

/// The hidden states that foresee a token, [B * (W-1), D], in the order of the targets.
at::Tensor foreseeing(const Model& model, const at::Tensor& ids_BW) {
  const at::Tensor hidden_BWD = hidden_states(model, ids_BW.to(model.device()));
  return hidden_BWD.narrow(1, 0, ids_BW.size(1) - 1).flatten(0, 1);
}

class Evaluation {
 public:
  Evaluation(const Model& model, const EvaluateOptions& options) : model_(model), options_(options) {}

  /// Adds the windows ids_BW, of which the first has number `first`.
  void add(const at::Tensor& ids_BW, std::int64_t first);
  Evaluated result() const;

 private:
  void tell(const at::Tensor& nll_N, const at::Tensor& ids_BW, std::int64_t first) const;

  const Model& model_;
  const EvaluateOptions& options_;
  Totals totals_;
};

void Evaluation::add(const at::Tensor& ids_BW, std::int64_t first) {
  const at::Tensor hidden_ND = foreseeing(model_, ids_BW);
  std::optional<at::Tensor> other_ND;
  if (options_.against != nullptr) other_ND = foreseeing(*options_.against, ids_BW);
  const at::Tensor targets_N = ids_BW.narrow(1, 1, ids_BW.size(1) - 1).flatten().to(model_.device());
  const at::Tensor nll_N = at::empty({targets_N.size(0)}, hidden_ND.options().dtype(at::kFloat));
  const std::int64_t rows = std::max<std::int64_t>(1, kLogitValues / model_.config.vocab_size);
  for (std::int64_t begin = 0; begin < targets_N.size(0); begin += rows) {
    const std::int64_t count = std::min(rows, targets_N.size(0) - begin);
    const at::Tensor log_p_NV = log_probabilities(model_, hidden_ND.narrow(0, begin, count));
    const at::Tensor target_N1 = targets_N.narrow(0, begin, count).unsqueeze(1);
    nll_N.narrow(0, begin, count).copy_(at::gather(log_p_NV, 1, target_N1).squeeze(1).neg());
    if (!other_ND) continue;
    const at::Tensor log_q_NV =
        log_probabilities(*options_.against, other_ND->narrow(0, begin, count)).to(log_p_NV.device());
    totals_.kl += log_q_NV.exp().mul_(log_q_NV.sub(log_p_NV)).sum(at::kDouble).item<double>();
    totals_.agreed += at::argmax(log_p_NV, 1).eq(at::argmax(log_q_NV, 1)).sum().item<double>();
  }
  totals_.nll += nll_N.sum(at::kDouble).item<double>();
  totals_.targets += nll_N.size(0);
  check(std::isfinite(totals_.nll), "[evaluate] the loss of windows ", first, " to ", first + ids_BW.size(0) - 1,
        " is not a finite number; the model's weights are damaged, or its activations overflow this dtype: try f32");
  if (options_.on_token) tell(nll_N.to(at::kCPU), ids_BW, first);
}

void Evaluation::tell(const at::Tensor& nll_N, const at::Tensor& ids_BW, std::int64_t first) const {
  const float* nll = nll_N.const_data_ptr<float>();
  const std::int64_t* ids = ids_BW.const_data_ptr<std::int64_t>();
  const std::int64_t window = ids_BW.size(1);
  for (std::int64_t b = 0; b < ids_BW.size(0); ++b) {
    for (std::int64_t position = 1; position < window; ++position) {
      options_.on_token({first + b, position, ids[b * window + position], *nll++});
    }
  }
}

Evaluated Evaluation::result() const {
  const auto targets = static_cast<double>(totals_.targets);
  Evaluated result{.nll = totals_.nll / targets, .tokens = totals_.targets};
  result.ppl = std::exp(result.nll);
  result.compared = options_.against != nullptr;
  if (result.compared) {
    result.kl = totals_.kl / targets;
    result.top1_agreement = totals_.agreed / targets;
  }
  return result;
}

void check_request(const Model& model, std::span<const std::int32_t> ids, const EvaluateOptions& options) {
  check(options.window >= 2, "[evaluate] a window has ", options.window, " tokens; expected at least 2");
  check(options.windows >= 0, "[evaluate] got ", options.windows, " windows; expected 1 or more, or 0 for all");
  check(options.window <= model.config.max_position_embeddings, "[evaluate] a window has ", options.window,
        " tokens; this model reads at most ", model.config.max_position_embeddings);
  check(std::ssize(ids) >= options.window, "[evaluate] the text has ", ids.size(),
        " tokens, which do not fill one window of ", options.window, "; choose a shorter window or a longer text");
  const auto largest = std::ranges::max(ids);
  check(largest < model.config.vocab_size && std::ranges::min(ids) >= 0, "[evaluate] the text has token id ", largest,
        ", but the model's vocabulary has ", model.config.vocab_size, " entries; this is not its tokenizer");
  if (options.against == nullptr) return;
  check(options.against->config.vocab_size == model.config.vocab_size, "[evaluate] the models to compare have ",
        model.config.vocab_size, " and ", options.against->config.vocab_size, " tokens; they must share a vocabulary");
}

}  // namespace

Evaluated evaluate(const Model& model, std::span<const std::int32_t> ids, const EvaluateOptions& options,
                   const Job& job) {
  check_request(model, ids, options);
  const c10::InferenceMode no_gradients;
  const std::int64_t fitting = std::ssize(ids) / options.window;
  const std::int64_t windows = options.windows == 0 ? fitting : std::min(fitting, options.windows);
  const at::Tensor ids_CW = at::empty({windows, options.window}, at::kLong);
  std::ranges::copy(ids.first(static_cast<std::size_t>(ids_CW.numel())), ids_CW.mutable_data_ptr<std::int64_t>());
  const std::int64_t together = std::max<std::int64_t>(1, forward_tokens(model) / options.window);
  Evaluation evaluation(model, options);
  for (std::int64_t first = 0; first < windows; first += together) {
    job.progress("evaluate", "windows", first, windows);
    evaluation.add(ids_CW.narrow(0, first, std::min(together, windows - first)), first);
  }
  job.progress("evaluate", "windows", windows, windows);
  return evaluation.result();
}

}  // namespace lathe
