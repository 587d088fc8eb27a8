#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "model/nn/forward.h"
#include "model/nn/layer.h"

namespace lathe {

// B windows, T tokens, D hidden_size

/// The calibration windows' hidden states on their way through the layers: as the model before the conversion makes
/// them, and as the layers converted so far make them. Memory is that of the hidden states, not of the layers.
class Streams {
 public:
  using Tick = std::function<void(std::int64_t windows)>;

  /// Before layer 0. Borrows `original`.
  Streams(const Model& original, const at::Tensor& ids_BT);

  /// The inputs of the next layer.
  const at::Tensor& original_BTD() const { return original_BTD_; }
  const at::Tensor& converted_BTD() const { return converted_BTD_; }
  const BlockContext& context() const { return context_; }

  /// Both through layer `index`, each of its own model. While the models agree this is one pass.
  void advance(const Model& converted, std::int64_t index, const Tick& tick);

 private:
  at::Tensor through(const Model& model, std::int64_t index, const at::Tensor& x_BTD, const Tick& tick) const;

  const Model& original_;
  BlockContext context_;
  at::Tensor original_BTD_;
  at::Tensor converted_BTD_;
  bool diverged_ = false;
};

}  // namespace lathe
