#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

#include "model/data/job.h"
#include "model/nn/layer.h"

namespace lathe {

class Checkpoint;

struct LoadOptions {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
};

/// Builds the network from a checkpoint's config and tensors, converted to dtype on the device, tensor by tensor.
/// Throws Error listing every missing, unexpected and misshapen tensor at once; Cancelled.
Model load_model(const Checkpoint& checkpoint, const LoadOptions& options, const Job& job = {});

}  // namespace lathe
