#include "model/nn/weight_values.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/aminmax.h>
#include <ATen/ops/isfinite.h>

#include <cmath>

#include "model/data/error.h"
#include "model/nn/names.h"

namespace lathe {
namespace {

constexpr std::size_t kNamedTensors = 3;

// The extremes are NaN if any value is, and infinite if one is and none is NaN.
bool is_finite(const at::Tensor& tensor) {
  if (tensor.numel() == 0) return true;
  const auto [low, high] = at::aminmax(tensor);
  return std::isfinite(low.item<double>()) && std::isfinite(high.item<double>());
}

std::string describe_non_finite(const NamedTensor& named) {
  const at::Tensor places_NR = at::isfinite(named.tensor).logical_not_().nonzero();
  std::string first;
  for (std::int64_t i = 0; i < places_NR.size(1); ++i) {
    first += (i == 0 ? "" : ", ") + std::to_string(places_NR[0][i].item<std::int64_t>());
  }
  return text(named.name, ": ", places_NR.size(0), " of ", named.tensor.numel(), " values are NaN or infinite as ",
              named.tensor.scalar_type(), ", the first at [", first,
              "]; what the model computes may be meaningless: get the file anew, or open it with another dtype");
}

}  // namespace

std::vector<std::string> non_finite_weights(const Model& model) {
  const at::NoGradGuard no_grad;
  std::vector<std::string> sentences;
  std::size_t tensors = 0;
  for (const NamedTensor& named : model_tensors(model)) {
    if (is_finite(named.tensor)) continue;
    if (++tensors <= kNamedTensors) sentences.push_back(describe_non_finite(named));
  }
  if (tensors > kNamedTensors) {
    sentences.push_back(text(tensors - kNamedTensors, " more tensors hold values that are NaN or infinite"));
  }
  return sentences;
}

}  // namespace lathe
