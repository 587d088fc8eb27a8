#include "converters/convert_layer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/zeros_like.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "converters/mla/measure_attention.h"
#include "converters/registry.h"
#include "converters/relative_error.h"
#include "converters/windows.h"
#include "model/data/error.h"
#include "model/nn/names.h"
#include "model/nn/rms_norm.h"

// B windows, T tokens, D hidden_size

namespace lathe {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

const Layer& layer_of(const Model& model, std::int64_t index) { return *model.layers[static_cast<std::size_t>(index)]; }

const LayerConfig& planned_layer(const LayerTask& task) {
  return task.planned.layers[static_cast<std::size_t>(task.index)];
}

template <typename Map>
at::Tensor map_windows(const at::Tensor& x_BTD, const Map& map) {
  at::Tensor out_BTD = at::empty_like(x_BTD);
  for_windows(x_BTD, [&](std::int64_t first, std::int64_t count) {
    out_BTD.narrow(0, first, count).copy_(map(x_BTD.narrow(0, first, count)));
  });
  return out_BTD;
}

// What a method made must be what the plan promised, whatever the method.
void verify(const LayerTask& task, const Layer& layer, const std::string& method) {
  std::int64_t values = 0;
  for (const auto& [name, tensor] : layer_tensors(layer, task.index)) {
    check(at::isfinite(tensor).all().item<bool>(), "[convert] ", method, " made weights that are not finite: ", name,
          "; the dtype may be too narrow for this model, try f32");
    values += tensor.numel();
  }
  const std::int64_t expected = attention_params(task.planned, layer.config.attention) +
                                feed_forward_params(task.planned, layer.config.feed_forward) +
                                2 * task.planned.hidden_size;
  check(values == expected, "[convert] ", method, " made a layer ", task.index, " of ", values,
        " parameters, expected ", expected);
}

void check_spectrum(const LatentSpectrum& spectrum) {
  for (const float eigenvalue : spectrum.eigenvalues) {
    check(std::isfinite(eigenvalue), "[convert] layer ", spectrum.layer, ": an eigenvalue of its keys' and values' ",
          "second moment is ", eigenvalue, ", expected a finite number; its weights are damaged or far too large");
  }
}

ConvertedLayer finish(const LayerTask& task, Layer layer, LayerReceipt receipt, Clock::time_point start) {
  const LayerConfig& before = layer_of(task.converted, task.index).config;
  receipt.layer = task.index;
  receipt.relative_error = receipt.stages.back().relative_error;
  check_spectrum(receipt.spectrum);
  const bool attention = receipt.part == LayerPart::Attention;
  const auto params = [&](const LayerConfig& config) {
    return attention ? attention_params(task.planned, config.attention)
                     : feed_forward_params(task.planned, config.feed_forward);
  };
  receipt.params_before = params(before);
  receipt.params_after = params(layer.config);
  receipt.kv_values_before = kv_values_per_token(task.planned, before.attention);
  receipt.kv_values_after = kv_values_per_token(task.planned, layer.config.attention);
  verify(task, layer, receipt.method);
  receipt.seconds = seconds_since(start);
  return {std::make_shared<const Layer>(std::move(layer)), std::move(receipt)};
}

// Error of the block with the given experts, inputs from the original model.
StageCost measure(const LayerTask& task, const Layer& layer, std::string stage,
                  const std::pair<at::Tensor, at::Tensor>& original_x_and_y_BTD) {
  const auto& [x_BTD, y_BTD] = original_x_and_y_BTD;
  RelativeError error;
  for_windows(x_BTD, [&](std::int64_t first, std::int64_t count) {
    const at::Tensor y_hat_BTD =
        feed_forward_forward(layer, task.index, x_BTD.narrow(0, first, count), task.streams.context());
    error.add(y_BTD.narrow(0, first, count), y_hat_BTD);
    task.tick(stage, count);
  });
  return error.cost_of(std::move(stage), task.index);
}

// The same experts in equal shares: what they cost before any router has a say.
Layer without_router(const Layer& layer) {
  Layer equal = layer;
  auto& moe = std::get<MoeFeedForward>(equal.feed_forward);
  moe.router_ED = at::zeros_like(moe.router_ED);
  equal.config.feed_forward.norm_topk_prob = true;
  return equal;
}

// Inputs and outputs of the original layer's feed-forward block.
std::pair<at::Tensor, at::Tensor> original_feed_forward(const LayerTask& task) {
  const Layer& layer = layer_of(task.original, task.index);
  const double eps = task.planned.rms_norm_eps;
  const BlockContext& context = task.streams.context();
  const at::Tensor x_BTD = map_windows(task.streams.original_BTD(), [&](const at::Tensor& hidden_BTD) {
    const at::Tensor normed_BTD = rms_norm(hidden_BTD, layer.attention_norm_D, eps);
    const at::Tensor middle_BTD =
        hidden_BTD + attention_forward(task.original.config, layer, task.index, normed_BTD, context);
    task.tick("inputs", hidden_BTD.size(0));
    return rms_norm(middle_BTD, layer.feed_forward_norm_D, eps);
  });
  const at::Tensor y_BTD = map_windows(x_BTD, [&](const at::Tensor& some_BTD) {
    task.tick("inputs", 0);
    return feed_forward_forward(layer, task.index, some_BTD, context);
  });
  return {x_BTD, y_BTD};
}

Activations activations_of(const LayerTask& task) {
  const Layer& layer = layer_of(task.converted, task.index);
  const double eps = task.planned.rms_norm_eps;
  Activations activations;
  activations.residual_BTD = map_windows(task.streams.converted_BTD(), [&](const at::Tensor& hidden_BTD) {
    task.tick("inputs", hidden_BTD.size(0));
    const at::Tensor normed_BTD = rms_norm(hidden_BTD, layer.attention_norm_D, eps);
    return hidden_BTD + attention_forward(task.original.config, layer, task.index, normed_BTD, task.streams.context());
  });
  activations.x_BTD = rms_norm(activations.residual_BTD, layer.feed_forward_norm_D, eps);
  const at::Tensor after_BTD = map_windows(task.streams.original_BTD(), [&](const at::Tensor& hidden_BTD) {
    task.tick("inputs", hidden_BTD.size(0));
    return block_forward(task.original, task.index, hidden_BTD, task.streams.context());
  });
  activations.target_BTD = after_BTD - activations.residual_BTD;
  return activations;
}

}  // namespace

ConvertedLayer convert_attention(const LayerTask& task) {
  const auto start = Clock::now();
  const MlaPlan& plan = *task.plan.layers.at(task.index).attention;
  const Layer& layer = layer_of(task.converted, task.index);
  const AttentionConfig& planned = planned_layer(task).attention;
  const auto normed = [&](const at::Tensor& x_BTD) {
    return rms_norm(x_BTD, layer.attention_norm_D, task.planned.rms_norm_eps);
  };
  const at::Tensor original_x_BTD = normed(task.streams.original_BTD());
  const Layer exact = with_fp32_attention(layer, task.index);
  const at::Tensor original_y_BTD = map_windows(original_x_BTD.to(at::kFloat), [&](const at::Tensor& x_BTD) {
    task.tick("inputs", x_BTD.size(0));
    return attention_forward(task.original.config, exact, task.index, x_BTD, task.streams.context());
  });
  AttentionResult result = attention_method(plan.method)({.config = task.original.config,
                                                          .layer = layer,
                                                          .index = task.index,
                                                          .plan = plan,
                                                          .planned = planned,
                                                          .context = task.streams.context(),
                                                          .x_BTD = normed(task.streams.converted_BTD()),
                                                          .original_x_BTD = original_x_BTD,
                                                          .original_y_BTD = original_y_BTD,
                                                          .fisher_MM = task.fisher_MM,
                                                          .tick = task.tick});
  Layer converted = layer;
  converted.config.attention = planned;
  if (!result.rope_pairs.empty()) converted.config.attention.rope_pairs = std::move(result.rope_pairs);
  converted.attention = std::move(result.attention);
  LayerReceipt receipt;
  receipt.part = LayerPart::Attention;
  receipt.method = plan.method;
  receipt.stages = std::move(result.stages);
  receipt.spectrum = std::move(result.spectrum);
  return finish(task, std::move(converted), std::move(receipt), start);
}

ConvertedLayer convert_feed_forward(const LayerTask& task) {
  const auto start = Clock::now();
  const MoePlan& plan = *task.plan.layers.at(task.index).feed_forward;
  const Layer& layer = layer_of(task.converted, task.index);
  Layer converted = layer;
  converted.config.feed_forward = planned_layer(task).feed_forward;
  const auto original_BTD = original_feed_forward(task);
  const bool is_split = needs_activations(plan.method);
  LayerReceipt receipt;
  receipt.part = LayerPart::FeedForward;
  receipt.method = plan.method;
  const auto note = [&](std::string_view stage, const MoeFeedForward& moe) {
    Layer unfinished = converted;
    unfinished.feed_forward = moe;
    receipt.stages.push_back(measure(task, unfinished, std::string(stage), original_BTD));
  };
  converted.feed_forward =
      feed_forward_method(plan.method)({.dense = std::get<DenseFeedForward>(layer.feed_forward),
                                        .index = task.index,
                                        .plan = plan,
                                        .planned = converted.config.feed_forward,
                                        .seed = task.plan.seed,
                                        .activations = is_split ? activations_of(task) : Activations(),
                                        .tick = [&](std::int64_t windows) { task.tick("experts", windows); },
                                        .note = note});
  if (!is_split) receipt.stages.push_back(measure(task, without_router(converted), "experts", original_BTD));
  receipt.stages.push_back(measure(task, converted, is_split ? "refit" : "router", original_BTD));
  return finish(task, std::move(converted), std::move(receipt), start);
}

}  // namespace lathe
