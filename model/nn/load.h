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
/// Throws Error with the missing, unexpected and misshapen tensors at once, of each kind the first by name; Cancelled.
Model load_model(const Checkpoint& checkpoint, const LoadOptions& options, const Job& job = {});

}  // namespace lathe
