#pragma once

#include "model/data/config.h"
#include "model/data/plan.h"

namespace lathe {

/// The controls of one plan; true when a value changed.
bool mla_form(MlaPlan& plan, const ModelConfig& config);
bool moe_form(MoePlan& plan);

}  // namespace lathe
