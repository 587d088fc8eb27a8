#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/data/job.h"
#include "model/nn/layer.h"
#include "model/nn/probe.h"

namespace lathe {

/// How a batch's loss is made. Pointers are borrowed.
struct BatchLossInput {
  const Model* model = nullptr;
  const Model* teacher = nullptr;  ///< null: no KL
  std::int64_t frozen_layers = 0;  ///< that many first layers, and the embedding, do not train ...
  std::int64_t shared_layers = 0;  ///< ... and so many of them are the teacher's too and run once
  double balance_weight = 0.0;
  double kl_weight = 0.0;
  const Probe* probe = nullptr;
};

/// What one MoE layer's router did.
struct RouterUse {
  std::int64_t layer = 0;
  at::Tensor counts_E;  ///< choices of each expert, f32
  at::Tensor balance;   ///< its balance loss, a scalar, detached
};

/// Scalar f32 tensors on the model's device. Only `weighted` carries a gradient.
struct BatchLoss {
  at::Tensor weighted;  ///< next_token + kl_weight * kl + balance_weight * balance
  at::Tensor next_token;
  at::Tensor kl;
  at::Tensor balance;  ///< mean over MoE layers; 0 without any
  std::vector<RouterUse> routers;
};

/// Loss of batch_BT ([B, T+1] ids) without waiting for the device. Frozen layers before the first that trains keep no
/// activations. The job is asked between layers, also during the backward pass of the result: `job` must outlive it.
/// Throws Cancelled.
BatchLoss batch_loss(const BatchLossInput& input, const at::Tensor& batch_BT, const Job& job);

}  // namespace lathe
