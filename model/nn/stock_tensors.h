#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/nn/layer.h"

namespace lathe {

/// A tensor of an export: its name and shape in the file, and its values when its turn comes, on the model's device.
struct ExportedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  at::ScalarType dtype = at::kFloat;
  std::function<at::Tensor()> values;
};

/// The model's tensors as the stock class `name` (stock_classes.h) has them, experts one by one under their
/// transformers 4 names. Exact but for rounding in three places that the class forces: a shared expert of zeros where
/// the class wants one; an ungated one under Qwen2Moe's gate, which is then 1/2 and its down_proj doubled; and
/// DeepSeek's norm of the latent. That norm is made the identity by one more latent value that is constant: with bias C
/// there, 0 elsewhere, and weights C / sqrt(rank + 1) (0 for the constant, so that training cannot make use of it),
/// latents c come out of it within |c|^2 / (2 C^2) of themselves. C is so large that this is below rounding (fp16,
/// which ends at 65504, gets a smaller one), and C and the weight are chosen to be exact in the model's dtype as nearly
/// as can be. Throws Error where the model does not fit.
std::vector<ExportedTensor> stock_tensors(std::string_view name, const Model& model, at::ScalarType dtype);

}  // namespace lathe
