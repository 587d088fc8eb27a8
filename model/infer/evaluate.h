#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "model/data/event.h"
#include "model/data/job.h"
#include "model/nn/layer.h"

namespace lathe {

/// How badly one token was foreseen.
struct TokenLoss {
  std::int64_t window = 0;
  std::int64_t position = 0;  ///< of the token in its window, from 1: the first one is not foreseen by anything
  std::int64_t id = 0;
  float nll = 0.0F;  ///< -ln p(token | tokens before it in the window)
};

struct EvaluateOptions {
  std::int64_t window = 512;       ///< tokens
  std::int64_t windows = 64;       ///< at most so many, from the start of the text; 0: all
  const Model* against = nullptr;  ///< borrowed; also compare with this one
  std::function<void(const TokenLoss&)> on_token = {};
};

/// Teacher-forced loss. `ids`, a text's tokens without special ones, are cut into non-overlapping windows, each its own
/// context; what is left over at the end is not used. nll: mean over window - 1 targets of each window, nats.
/// ppl: exp(nll). tokens: targets counted. kl: mean KL(against || model) over the same positions, nats; top1_agreement:
/// share of positions at which both find the same token most probable.
/// Throws Error if not even one window is full or a loss is not finite; Cancelled.
Evaluated evaluate(const Model& model, std::span<const std::int32_t> ids, const EvaluateOptions& options,
                   const Job& job = {});

}  // namespace lathe
