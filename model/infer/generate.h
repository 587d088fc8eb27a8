#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "model/data/event.h"
#include "model/data/generate_settings.h"
#include "model/data/job.h"
#include "model/io/tokenizer.h"
#include "model/nn/layer.h"
#include "model/nn/probe.h"

namespace lathe {

/// One thing to write. All but the settings may be left empty.
struct GenerateRequest {
  GenerateSettings settings = {};

  /// Called for each token as soon as it is chosen, and once more without an id (-1) if text was held back at the end.
  std::function<void(const TokenWritten&)> on_token = {};

  /// Called once, after the prompt is read, with what the model thought of each prompt token but the first. Costs the
  /// output head for every prompt token.
  std::function<void(const std::vector<TokenChoice>&)> on_prompt = {};

  const Probe* probe = nullptr;   ///< borrowed; sees every forward call
  std::int64_t alternatives = 8;  ///< most probable tokens told with each token; 0 to 1000
};

/// Ids that the model is asked to continue: the prompt, in the chat template if `settings.chat`, with the special
/// tokens that the tokenizer adds. An empty prompt is the bos token.  Throws Error if that leaves no token.
std::vector<std::int32_t> prompt_ids(const Tokenizer& tokenizer, const GenerateSettings& settings);

/// Writes until an end-of-text token (kept in `ids`, as transformers does), a stop string (dropped from `text`),
/// max_new_tokens or the model's context ends it. `finish` is eos | stop | length | context | cancelled; after a cancel
/// what was written so far is returned, and the caller's own job.check() throws.
/// Throws Error if a setting is out of range, the prompt fills the context, or the logits are not finite; Cancelled
/// while the prompt is read. Units: seconds; tokens_per_second counts decode steps only.
Generated generate(const Model& model, const Tokenizer& tokenizer, const GenerateRequest& request, const Job& job = {});

}  // namespace lathe
