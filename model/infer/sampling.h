#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/data/generate_settings.h"

namespace lathe {

/// A token and a probability.
struct Candidate {
  std::int32_t id = 0;
  float probability = 0.0F;

  bool operator==(const Candidate&) const = default;
};

/// One choice of a next token. Probabilities are the model's own, softmax(logits), before any penalty, temperature or
/// filter: they say what the model thought, not what the settings made of it.
struct Choice {
  std::int32_t id = 0;
  float probability = 0.0F;
  std::vector<Candidate> alternatives;  ///< the most probable tokens, best first
};

/// The model's own probability of token `id`, and its `count` most probable tokens.
/// Throws Error if a logit is NaN or +inf.
Choice describe_choice(std::span<const float> logits, std::int32_t id, std::int64_t count);

/// Chooses tokens as Hugging Face's generate() does: repetition penalty, then (temperature > 0) temperature, top-k,
/// top-p, min-p, in this order, each over what the one before it left.
/// Source: transformers/generation/logits_process.py.
class Sampler {
 public:
  explicit Sampler(const GenerateSettings& settings);

  /// Counts `id` among the tokens that the repetition penalty weakens: those of the prompt and those written.
  void see(std::int32_t id);

  /// Tokens that may be drawn and the probabilities they are drawn with (sum 1). Greedy: the one best token.
  /// Throws Error if a logit is NaN or +inf.
  std::vector<Candidate> candidates(std::span<const float> logits);

  /// Draws from candidates(); the n-th call uses the n-th number of the seed's stream.
  std::int32_t choose(std::span<const float> logits);

 private:
  struct Scored {
    std::int32_t id;
    float score;
  };

  void penalise(std::span<const float> logits);
  /// Probability after the temperature, relative to the best token's. Dividing a difference cannot overflow.
  double weight(float score) const;
  std::vector<Scored> keep_top_k() const;
  void keep_top_p(std::vector<Scored>& scored) const;
  void keep_min_p(std::vector<Scored>& scored) const;

  GenerateSettings settings_;
  std::vector<std::int32_t> seen_;  // sorted, each once
  std::vector<float> scores_;       // after the penalty; reused by every call
  float top_ = 0.0F;                // the largest of them
  std::uint64_t draws_ = 0;
};

}  // namespace lathe
