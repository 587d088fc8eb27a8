#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/data/job.h"

namespace lathe {

/// A tensor of a training state: f32, on any device.
struct StateTensor {
  std::string name;
  at::Tensor tensor;
};

/// A training run between two steps: what it computed and a description of where it stands.
struct TrainState {
  nlohmann::json about;
  std::vector<StateTensor> tensors;
};

/// Writes one safetensors file, all of it or nothing. The description lies in it as the tensor "about" of JSON bytes,
/// so that numbers and position can never be of two different saves.  Throws Error, Cancelled.
void write_train_state(const std::filesystem::path& file, const TrainState& state, const Job& job = {});

/// Reads what write_train_state wrote, to the CPU. Throws Error if the file is broken or something else.
TrainState read_train_state(const std::filesystem::path& file);

}  // namespace lathe
