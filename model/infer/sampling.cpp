#include "model/infer/sampling.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "model/data/error.h"
#include "model/infer/random.h"

namespace lathe {
namespace {

/// Index of the first largest value, as argmax gives it.
std::size_t best_index(std::span<const float> values) {
  check(!values.empty(), "[sampling] there are no logits to choose from");
  return static_cast<std::size_t>(std::ranges::max_element(values) - values.begin());
}

/// Throws Error unless every value is a number below +inf and one is above -inf (which forbids a token).
void check_finite(std::span<const float> values, float top) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  int bad = 0;
  for (const float value : values) bad += static_cast<int>(!(value < kInfinity));
  check(bad == 0 && top > -kInfinity, "[sampling] the model's logits are not finite numbers; its weights are damaged, ",
        "or its activations overflow this dtype: try f32");
}

/// sum of exp(value - top).
double exp_sum(std::span<const float> values, float top) {
  const at::Tensor values_V = at::from_blob(const_cast<float*>(values.data()), {std::ssize(values)}, at::kFloat);
  return values_V.sub(top).exp_().sum(at::kDouble).item<double>();
}

}  // namespace

Choice describe_choice(std::span<const float> logits, std::int32_t id, std::int64_t count) {
  check(id >= 0 && static_cast<std::size_t>(id) < logits.size(), "[sampling] there is no logit for token ", id,
        "; got ", logits.size(), " logits");
  const float top = logits[best_index(logits)];
  check_finite(logits, top);
  const double sum = exp_sum(logits, top);
  const auto logit = [&](std::int32_t i) { return logits[static_cast<std::size_t>(i)]; };
  const auto probability = [&](std::int32_t i) {
    return static_cast<float>(std::exp(double{logit(i)} - double{top}) / sum);
  };
  // A list kept sorted by insertion: almost every logit is turned away by one comparison with its last entry.
  std::vector<std::int32_t> best;
  const auto wanted = static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, std::ssize(logits)));
  float least = -std::numeric_limits<float>::infinity();
  for (std::int32_t i = 0; wanted > 0 && i < static_cast<std::int32_t>(logits.size()); ++i) {
    if (best.size() == wanted && !(logit(i) > least)) continue;
    if (best.size() == wanted) best.pop_back();
    best.insert(std::ranges::upper_bound(best, logit(i), std::greater<>(), logit), i);
    least = logit(best.back());
  }
  Choice choice{.id = id, .probability = probability(id), .alternatives = {}};
  for (const std::int32_t i : best) choice.alternatives.push_back({i, probability(i)});
  return choice;
}

Sampler::Sampler(const GenerateSettings& settings) : settings_(settings) {
  const auto problems = generate_problems(settings);
  check(problems.empty(), "[sampling] ", problems.empty() ? "" : problems.front());
}

void Sampler::see(std::int32_t id) {
  const auto place = std::ranges::lower_bound(seen_, id);
  if (place == seen_.end() || *place != id) seen_.insert(place, id);
}

void Sampler::penalise(std::span<const float> logits) {
  scores_.assign(logits.begin(), logits.end());
  if (settings_.repetition_penalty == 1.0) return;
  const auto penalty = static_cast<float>(settings_.repetition_penalty);
  for (const std::int32_t id : seen_) {
    if (id < 0 || static_cast<std::size_t>(id) >= scores_.size()) continue;
    float& score = scores_[static_cast<std::size_t>(id)];
    score = score < 0 ? score * penalty : score / penalty;
  }
}

double Sampler::weight(float score) const { return std::exp((double{score} - double{top_}) / settings_.temperature); }

std::vector<Sampler::Scored> Sampler::keep_top_k() const {
  float threshold = -std::numeric_limits<float>::infinity();
  const auto k = static_cast<std::size_t>(settings_.top_k);
  if (k > 0 && k < scores_.size()) {
    std::vector<float> best(k);
    std::partial_sort_copy(scores_.begin(), scores_.end(), best.begin(), best.end(), std::greater<>());
    threshold = best.back();
  }
  std::vector<Scored> kept;
  kept.reserve(k > 0 ? std::min(k, scores_.size()) : scores_.size());
  for (std::size_t i = 0; i < scores_.size(); ++i) {
    // Equals of the k-th stay, as in the reference.
    if (scores_[i] >= threshold) kept.push_back({static_cast<std::int32_t>(i), scores_[i]});
  }
  return kept;
}

void Sampler::keep_top_p(std::vector<Scored>& scored) const {
  if (settings_.top_p >= 1.0) return;
  const auto better = [](const Scored& a, const Scored& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  };
  double sum = 0;
  for (const Scored& one : scored) sum += weight(one.score);
  // The nucleus is a few tokens of many thousands, so that only as many are sorted as are needed.
  std::size_t sorted = 0, kept = 0;
  double above = 0;  // probability of all that are better than the one looked at
  while (kept < scored.size() && (kept == 0 || above < settings_.top_p)) {
    if (kept == sorted) {
      const std::size_t next = std::min(scored.size(), std::max<std::size_t>(64, 4 * sorted));
      std::partial_sort(scored.begin() + static_cast<std::ptrdiff_t>(sorted),
                        scored.begin() + static_cast<std::ptrdiff_t>(next), scored.end(), better);
      sorted = next;
    }
    above += weight(scored[kept].score) / sum;
    ++kept;
  }
  scored.resize(kept);
}

void Sampler::keep_min_p(std::vector<Scored>& scored) const {
  if (settings_.min_p <= 0.0) return;
  // The best token's weight is 1, which min_p never exceeds: one token always stays.
  std::erase_if(scored, [this](const Scored& one) { return weight(one.score) < settings_.min_p; });
}

std::vector<Candidate> Sampler::candidates(std::span<const float> logits) {
  penalise(logits);
  const std::size_t best = best_index(scores_);
  top_ = scores_[best];
  check_finite(scores_, top_);
  if (settings_.temperature == 0.0) return {{static_cast<std::int32_t>(best), 1.0F}};
  std::vector<Scored> scored = keep_top_k();
  keep_top_p(scored);
  keep_min_p(scored);
  double sum = 0;
  for (const Scored& one : scored) sum += weight(one.score);
  std::vector<Candidate> result;
  result.reserve(scored.size());
  for (const Scored& one : scored) result.push_back({one.id, static_cast<float>(weight(one.score) / sum)});
  return result;
}

std::int32_t Sampler::choose(std::span<const float> logits) {
  const std::vector<Candidate> all = candidates(logits);
  const double drawn = uniform(settings_.seed, draws_++);
  double below = 0;
  for (const Candidate& candidate : all) {
    below += candidate.probability;
    if (drawn < below) return candidate.id;
  }
  // The probabilities are rounded: their sum may end just below one.
  return std::ranges::max_element(all, {}, &Candidate::probability)->id;
}

}  // namespace lathe
