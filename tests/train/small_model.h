#pragma once

#include <ATen/core/Tensor.h>

#include "model/data/train_settings.h"
#include "model/nn/layer.h"
#include "model/train/trainer.h"

namespace lathe {

/// Three layers, 97 tokens: layer 0 GQA and dense, layer 1 MLA and dense, layer 2 GQA and MoE (4 experts, top 2).
ModelPtr small_model(RouterKind router = RouterKind::Softmax);

/// The same with all layers GQA and dense.
ModelPtr small_dense_model();

/// A text of 97 tokens that repeats with small changes: easy to learn.
at::Tensor small_text();

/// Small, quick, in f32.
TrainSettings small_settings();

/// The tensor of that name.
at::Tensor weight(const Model& model, const std::string& name);

/// Names of all tensors that differ.
std::vector<std::string> changed_weights(const Model& before, const Model& after);

}  // namespace lathe
