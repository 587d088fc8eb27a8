#pragma once

#include "model/data/config.h"
#include "model/nn/layer.h"

namespace lathe {

/// A model of the right shapes without values: tensors on the meta device, fp32. map_model makes a real one of it.
Model model_skeleton(const ModelConfig& config);

}  // namespace lathe
