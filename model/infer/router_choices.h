#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/data/job.h"
#include "model/data/snapshot.h"
#include "model/nn/layer.h"

namespace lathe {

/// Which experts each token goes to, for every MoE layer of the model, from one forward call over `ids` (at most the
/// model's context). `tokens` is left empty: token_texts() fills it.  Throws Error if there is no token or one outside
/// the vocabulary; Cancelled.
std::vector<RouterChoices> router_choices(const Model& model, std::span<const std::int32_t> ids, const Job& job = {});

}  // namespace lathe
