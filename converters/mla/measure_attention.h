#pragma once

#include <string>

#include "converters/mla/method.h"
#include "converters/relative_error.h"
#include "converters/windows.h"
#include "model/nn/names.h"

namespace lathe {

/// Stages are computed in fp32, and must not be told by how much a narrow dtype rounds the original.
inline Layer with_fp32_attention(const Layer& layer, std::int64_t index) {
  return map_layer(layer, index, [](const std::string& name, const at::Tensor& tensor) {
    return name.find(".self_attn.") == std::string::npos ? tensor : tensor.to(at::kFloat);
  });
}

/// Error of the block's output with inputs from the original model, by any way to compute the block:
/// forward(x_BTD) -> [B,T,D].
template <typename Forward>
StageCost measure_attention(const AttentionTask& task, std::string stage, const Forward& forward) {
  RelativeError error;
  for_windows(task.original_x_BTD, [&](std::int64_t first, std::int64_t count) {
    error.add(task.original_y_BTD.narrow(0, first, count), forward(task.original_x_BTD.narrow(0, first, count)));
    task.tick(stage, count);
  });
  return error.cost_of(std::move(stage), task.index);
}

}  // namespace lathe
