#include "converters/convert.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "converters/convert_layer.h"
#include "converters/fisher.h"
#include "converters/mla/heal_attention.h"
#include "converters/registry.h"
#include "converters/steps.h"
#include "converters/streams.h"
#include "model/data/error.h"
#include "model/infer/evaluate.h"
#include "model/nn/names.h"

// B windows, T tokens

namespace lathe {
namespace {

void check_ids(const char* which, const at::Tensor& ids_BT, const ModelConfig& config) {
  check(ids_BT.defined() && ids_BT.dim() == 2 && ids_BT.scalar_type() == at::kLong && ids_BT.size(0) > 0 &&
            ids_BT.size(1) > 1,
        "[convert] the ", which, " ids must be int64 [windows, at least two tokens]");
  const std::int64_t lowest = ids_BT.min().item<std::int64_t>();
  const std::int64_t highest = ids_BT.max().item<std::int64_t>();
  check(lowest >= 0 && highest < config.vocab_size, "[convert] the ", which, " text has ids from ", lowest, " to ",
        highest, ", expected 0 to ", config.vocab_size - 1, "; it was made with another tokenizer");
}

std::string dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "f32";
    case at::kBFloat16:
      return "bf16";
    case at::kHalf:
      return "f16";
    default:
      return at::toString(dtype);
  }
}

// More of them change little: the moment is an average over tokens, and its own diagonal is added to it.
constexpr std::int64_t kFisherWindows = 16;

std::int64_t last_layer(const ConversionPlan& plan) { return plan.layers.rbegin()->first; }

std::set<std::int64_t> fisher_layers(const ConversionPlan& plan) {
  std::set<std::int64_t> layers;
  for (const auto& [index, layer] : plan.layers) {
    if (layer.attention && needs_fisher(layer.attention->method)) layers.insert(index);
  }
  return layers;
}

std::map<std::int64_t, at::Tensor> fisher_of(const Model& original, const ConversionPlan& plan,
                                             const at::Tensor& ids_BT, Steps& steps) {
  const std::set<std::int64_t> layers = fisher_layers(plan);
  if (layers.empty()) return {};
  return fisher_moments({.model = original,
                         .ids_BT = ids_BT.narrow(0, 0, std::min(ids_BT.size(0), kFisherWindows)),
                         .layers = layers,
                         .seed = plan.seed,
                         .tick = [&](std::int64_t passes) { steps.add("Fisher moments", passes); }});
}

// What Steps will count, so that the bar ends exactly at its end.
std::int64_t total_steps(const ModelConfig& config, const ConversionPlan& plan, const ConvertInputs& inputs) {
  const std::int64_t windows = inputs.calibration_ids_BT.size(0);
  std::int64_t total = 2 * config.num_layers() * inputs.held_out_ids_BT.size(0);
  const std::int64_t first = plan.layers.begin()->first;
  const std::int64_t last = last_layer(plan);
  total += windows * (first + 2 * (last - first + 1));
  total += kFisherPasses * config.num_layers() * std::min(windows, fisher_layers(plan).empty() ? 0 : kFisherWindows);
  for (const auto& [index, layer] : plan.layers) {
    if (layer.attention && layer.attention->method == "lathe-mla" && layer.attention->heal_steps > 0) {
      total += windows * kHealPasses;
      total += heal_passes(windows, inputs.calibration_ids_BT.size(1), layer.attention->heal_steps);
    }
    if (layer.feed_forward && needs_activations(layer.feed_forward->method)) total += windows * kActivationPasses;
  }
  total += windows * (kAttentionPasses * plan.num_mla() + kFeedForwardPasses * plan.num_moe());
  return total;
}

// evaluate() knows its own progress; here it is a part of a longer bar.
Evaluated held_out_loss(const Model& model, const at::Tensor& ids_BT, std::string_view stage, Steps& steps) {
  const at::Tensor ids_int_BT = ids_BT.to(at::kCPU, at::kInt).contiguous();
  const std::span<const std::int32_t> ids(ids_int_BT.data_ptr<std::int32_t>(),
                                          static_cast<std::size_t>(ids_int_BT.numel()));
  const std::int64_t whole = model.config.num_layers() * ids_BT.size(0);
  std::int64_t done = 0;
  const Job part({}, [&](const Progress& progress) {
    const std::int64_t now = progress.total > 0 ? whole * progress.done / progress.total : 0;
    steps.add(stage, now - done);
    done = now;
  });
  const Evaluated loss = evaluate(model, ids, {.window = ids_BT.size(1), .windows = ids_BT.size(0)}, part);
  steps.add(stage, whole - done);
  return loss;
}

void put(Model& model, std::int64_t index, LayerPtr layer) {
  const auto slot = static_cast<std::size_t>(index);
  model.config.layers[slot] = layer->config;
  model.layers[slot] = std::move(layer);
}

struct Run {
  const Model& original;
  const ConversionPlan& plan;
  const ConvertInputs& inputs;
  Steps& steps;
};

// Walks the layers up to the last that changes; the calibration text goes through each as it is by then.
void apply_plan(const Run& run, Model& model, Receipt& receipt) {
  const ModelConfig planned = planned_config(run.plan, run.original.config);
  const auto fisher = fisher_of(run.original, run.plan, run.inputs.calibration_ids_BT, run.steps);
  Streams streams(run.original, run.inputs.calibration_ids_BT);
  for (std::int64_t index = 0; index <= last_layer(run.plan); ++index) {
    const auto tick_as = [&](std::string part) {
      return [&run, index, part = std::move(part)](std::string_view stage, std::int64_t windows) {
        run.steps.add(text("Layer ", index, part, stage), windows);
      };
    };
    const auto convert_part = [&](auto method, std::string part) {
      ConvertedLayer done = method(LayerTask{.original = run.original,
                                             .converted = model,
                                             .planned = planned,
                                             .plan = run.plan,
                                             .streams = streams,
                                             .index = index,
                                             .fisher_MM = fisher.contains(index) ? fisher.at(index) : at::Tensor(),
                                             .tick = tick_as(std::move(part))});
      put(model, index, std::move(done.layer));
      receipt.layers.push_back(std::move(done.receipt));
      if (run.inputs.on_layer) run.inputs.on_layer(receipt.layers.back(), model);
    };
    const auto planned_layer = run.plan.layers.find(index);
    if (planned_layer != run.plan.layers.end()) {
      if (planned_layer->second.attention) convert_part(convert_attention, " attention: ");
      if (planned_layer->second.feed_forward) convert_part(convert_feed_forward, " feed-forward: ");
    }
    streams.advance(model, index, [&](std::int64_t windows) { tick_as("")(": calibration text", windows); });
  }
}

}  // namespace

Conversion convert(const Model& original, const ConversionPlan& plan, const ConvertInputs& inputs, const Job& job) {
  const auto start = std::chrono::steady_clock::now();
  const at::NoGradGuard no_grad;
  check(!plan.empty(), "[convert] the plan changes no layer; choose at least one");
  const ModelConfig planned = planned_config(plan, original.config);
  check_ids("calibration", inputs.calibration_ids_BT, original.config);
  check_ids("held-out", inputs.held_out_ids_BT, original.config);
  Steps steps(job, total_steps(original.config, plan, inputs));

  Conversion conversion{.model = original, .receipt = {}};
  Receipt& receipt = conversion.receipt;
  receipt.plan = plan;
  const Evaluated before = held_out_loss(original, inputs.held_out_ids_BT, "Loss before", steps);
  apply_plan({original, plan, inputs, steps}, conversion.model, receipt);
  const Evaluated after = held_out_loss(conversion.model, inputs.held_out_ids_BT, "Loss after", steps);

  receipt.nll_before = before.nll;
  receipt.nll_after = after.nll;
  receipt.eval_tokens = after.tokens;
  receipt.sizes_before = sizes_of(original.config);
  receipt.sizes_after = sizes_of(conversion.model.config);
  const auto bytes_per_value = static_cast<std::int64_t>(c10::elementSize(original.dtype()));
  receipt.kv_bytes_per_token_before = receipt.sizes_before.kv_values_per_token * bytes_per_value;
  receipt.kv_bytes_per_token_after = receipt.sizes_after.kv_values_per_token * bytes_per_value;
  receipt.seed = plan.seed;
  receipt.calibration_sha256 = inputs.calibration_sha256;
  receipt.calibration_tokens = inputs.calibration_ids_BT.numel();
  receipt.model_sha256 = model_sha256(conversion.model);
  receipt.device = original.device().str();
  receipt.dtype = dtype_name(original.dtype());
  receipt.code_version = inputs.code_version;
  receipt.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return conversion;
}

}  // namespace lathe
