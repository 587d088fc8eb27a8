#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/nn/layer.h"

namespace lathe {

/// A tensor of a model under its Hugging Face name ("model.layers.3.self_attn.q_proj.weight").
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

/// The tensors of one layer as they lie in memory, with names (experts fused: "...mlp.experts.gate_up_proj").
std::vector<NamedTensor> layer_tensors(const Layer& layer, std::int64_t index);

/// All tensors of the model as they lie in memory; a tied head is listed once, as the embedding.
std::vector<NamedTensor> model_tensors(const Model& model);

/// A copy of the layer in which each tensor was replaced by `map(name, tensor)`; trainers clone with it.
Layer map_layer(const Layer& layer, std::int64_t index,
                const std::function<at::Tensor(const std::string& name, const at::Tensor& tensor)>& map);

/// The same for a whole model; the map is called once for a tied head, as the embedding.
Model map_model(const Model& model,
                const std::function<at::Tensor(const std::string& name, const at::Tensor& tensor)>& map);

/// The dtype of the tensor `name` in a model of dtype `model`. A router's correction bias is fp32 always: it is added
/// to fp32 scores, and its updates are smaller than what a half-precision number can tell apart.
at::ScalarType dtype_in(at::ScalarType model, std::string_view name);

/// sha256 over names, shapes, dtypes and bytes of all tensors: equal if and only if the models are the same tensors.
std::string model_sha256(const Model& model);

}  // namespace lathe
