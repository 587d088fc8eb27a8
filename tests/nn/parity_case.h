#pragma once

#include <nlohmann/json.hpp>

#include "tests/nn/tensor_file.h"

namespace lathe {

/// Runs one case of reference.py through Lathe: `tensors` holds weights under Hugging Face's names and "input.*";
/// the result holds "output" and "grad.*" under the names that the reference gives them.
/// Computed on `device`; tensors come from and go to the CPU.
TensorMap run_parity_case(const nlohmann::json& parity_case, const TensorMap& tensors, at::Device device = at::kCPU);

/// Expects every result of Lathe to be within `tolerance` of the reference's.
void expect_parity(const TensorMap& ours, const TensorMap& reference, double tolerance);

}  // namespace lathe
