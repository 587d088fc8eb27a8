#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/data/train_settings.h"
#include "model/nn/layer.h"

namespace lathe {

/// A weight that trains: what the optimiser keeps and what the network multiplies with.
struct TrainedWeight {
  std::string name;   ///< Hugging Face name
  at::Tensor master;  ///< f32
  at::Tensor leaf;    ///< in the run's dtype, requires grad; the same tensor as master when that is f32
};

/// A sigmoid router's correction bias: moved by counting, not by gradient.
struct TrainedBias {
  std::string name;
  std::int64_t layer = 0;
  at::Tensor bias_E;
};

/// A model with private copies of the weights that train. All else is shared with the model it was made from, or is a
/// copy in the run's dtype.
struct TrainedModel {
  Model model;
  std::vector<TrainedWeight> weights;
  std::vector<TrainedBias> biases;
  std::int64_t first_layer = 0;  ///< no layer before it, nor the embedding, trains

  /// Brings the leaves up to date after the masters changed.
  void refresh_leaves();
};

/// Casts layers to one dtype, each at most once, so that models that share a layer still do afterwards.
class LayerCast {
 public:
  explicit LayerCast(at::ScalarType dtype) : dtype_(dtype) {}

  LayerPtr layer(const LayerPtr& layer, std::int64_t index);
  Model model(const Model& model);

  /// Embedding, last norm and head of `model`, cast, into `out`.
  void ends(const Model& model, Model& out) const;

 private:
  at::ScalarType dtype_;
  std::map<LayerPtr, LayerPtr> done_;
};

/// Copies what trains. `cast` decides the run's dtype.
/// Throws Error if the model has nothing of the kind that is to train.
TrainedModel make_trained_model(const Model& start, Trainable trainable, at::ScalarType dtype, LayerCast& cast);

/// `start` with the trained weights in place of its own, copied, in its dtype. Layers that did not train are shared.
Model finished_model(const Model& start, const TrainedModel& trained);

}  // namespace lathe
