#include "model/train/init.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <string>

#include "model/nn/names.h"
#include "model/nn/skeleton.h"

namespace lathe {

Model init_model(const ModelConfig& config, std::uint64_t seed) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const double residual_std = 0.02 / std::sqrt(2.0 * static_cast<double>(config.num_layers()));
  return map_model(model_skeleton(config), [&](const std::string& name, const at::Tensor& shape_only) {
    const at::TensorOptions options(at::kFloat);
    if (name.ends_with("norm.weight")) return at::ones(shape_only.sizes(), options);
    if (shape_only.dim() == 1) return at::zeros(shape_only.sizes(), options);
    const bool is_residual = name.find("o_proj") != std::string::npos || name.find("down_proj") != std::string::npos;
    return at::empty(shape_only.sizes(), options).normal_(0.0, is_residual ? residual_std : 0.02, generator);
  });
}

}  // namespace lathe
