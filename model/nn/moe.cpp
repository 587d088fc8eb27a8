#include "model/nn/moe.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_grouped_mm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/zeros.h>

#include <cstddef>
#include <vector>

#include "model/cuda/group_by_expert.h"
#include "model/nn/attention.h"
#include "model/nn/feed_forward.h"
#include "model/nn/few_rows.h"
#include "model/nn/linear.h"

// N tokens, K experts chosen by each, M = N K pairs of a token and an expert, D hidden_size, E experts,
// F moe_intermediate_size

namespace lathe {
namespace {

// Up to so many pairs each takes its expert's weights by itself; sorting more of them reads shared weights once.
constexpr std::int64_t kMostSinglePairs = 16;

// gate_up [..., 2F] -> [..., F]; the first half is copied, so that the result has no gaps.
at::Tensor fused_swiglu(const at::Tensor& gate_up) {
  const std::int64_t width = gate_up.size(-1) / 2;
  return swiglu(gate_up.narrow(-1, 0, width).contiguous(), gate_up.narrow(-1, width, width));
}

// y_NKD summed over K with the router's weights.
at::Tensor weighted_sum(const Routing& routing, const at::Tensor& y_NKD) {
  return at::bmm(routing.weights_NK.unsqueeze(1).to(y_NKD.scalar_type()), y_NKD).squeeze(1);
}

// The grouped operator multiplies bf16 in rows of whole 16-byte words; for other types it waits for the GPU each time.
bool has_grouped_operator(const at::Tensor& x, const at::Tensor& weights_EOI) {
  return x.is_cuda() && x.scalar_type() == at::kBFloat16 && weights_EOI.size(1) % 8 == 0 &&
         weights_EOI.size(2) % 8 == 0;
}
bool has_grouped_operator(const MoeFeedForward& weights, const at::Tensor& x) {
  return has_grouped_operator(x, weights.experts_gate_up_E2FD) && has_grouped_operator(x, weights.experts_down_EDF);
}

// Sorted rows times each group's own W^T: x_MI -> [M,O]. `ends_E` is on the device, `host_ends` the same on the host.
at::Tensor grouped_linear(const at::Tensor& x_MI, const at::Tensor& weights_EOI, const at::Tensor& ends_E,
                          const at::Tensor& host_ends) {
  if (!host_ends.defined()) return at::_grouped_mm(x_MI, weights_EOI.transpose(1, 2), ends_E);
  // One product an expert. unbind's gradient is a single stack, where a select each would add E full-sized tensors.
  const std::vector<at::Tensor> experts = weights_EOI.unbind(0);
  const std::int32_t* end = host_ends.const_data_ptr<std::int32_t>();
  std::vector<at::Tensor> outputs;
  std::int64_t begin = 0;
  for (std::size_t e = 0; e < experts.size(); ++e) {
    if (end[e] > begin) outputs.push_back(at::linear(x_MI.narrow(0, begin, end[e] - begin), experts[e]));
    begin = end[e];
  }
  return at::cat(outputs, 0);
}

at::Tensor run_grouped(const MoeFeedForward& weights, const at::Tensor& x_ND, const Routing& routing) {
  const std::int64_t chosen = routing.choice_NK.size(1);
  const ExpertGroups groups = group_by_expert(routing.choice_NK.reshape({-1}), weights.router_ED.size(0));
  const at::Tensor host_ends = has_grouped_operator(weights, x_ND) ? at::Tensor() : groups.ends_E.cpu();
  const at::Tensor x_MD = x_ND.index_select(0, groups.order_M.floor_divide(chosen));
  const at::Tensor hidden_MF =
      fused_swiglu(grouped_linear(x_MD, weights.experts_gate_up_E2FD, groups.ends_E, host_ends));
  const at::Tensor y_MD = grouped_linear(hidden_MF, weights.experts_down_EDF, groups.ends_E, host_ends);
  return weighted_sum(routing, y_MD.index_select(0, groups.place_M).view({x_ND.size(0), chosen, x_ND.size(1)}));
}

// Each pair multiplies a copy of its expert's weights: on a GPU without the grouped operator, where the choice would
// have to come back to the host.
at::Tensor run_gathered(const MoeFeedForward& weights, const at::Tensor& x_ND, const Routing& routing) {
  const at::Tensor experts_M = routing.choice_NK.reshape({-1});
  const at::Tensor x_M1D = x_ND.repeat_interleave(routing.choice_NK.size(1), 0).unsqueeze(1);
  const at::Tensor gate_up_M2FD = weights.experts_gate_up_E2FD.index_select(0, experts_M);
  const at::Tensor hidden_M1F = fused_swiglu(at::bmm(x_M1D, gate_up_M2FD.transpose(1, 2)));
  const at::Tensor down_MDF = weights.experts_down_EDF.index_select(0, experts_M);
  const at::Tensor y_M1D = at::bmm(hidden_M1F, down_MDF.transpose(1, 2));
  return weighted_sum(routing, y_M1D.view({x_ND.size(0), -1, x_ND.size(1)}));
}

// y_MO: pair m's row x_MI[m / pairs_per_row] times the weights of its expert, read where they lie.
at::Tensor multiply_chosen(const at::Tensor& x_MI, const at::Tensor& weights_EOI, const at::Tensor& experts_M) {
  const std::int64_t inputs = weights_EOI.size(2);
  const std::int64_t outputs = weights_EOI.size(1);
  const std::int64_t pairs = experts_M.numel();
  const std::int64_t pairs_per_row = pairs / x_MI.size(0);
  const std::int64_t bytes = x_MI.element_size();
  const at::Tensor y_MO = at::empty({pairs, outputs}, x_MI.options());
  const auto* x = static_cast<const std::byte*>(x_MI.const_data_ptr());
  const auto* weights = static_cast<const std::byte*>(weights_EOI.const_data_ptr());
  auto* y = static_cast<std::byte*>(y_MO.mutable_data_ptr());
  std::vector<FewRowsProduct> products;
  for (std::int64_t m = 0; m < pairs; ++m) {
    const std::int64_t expert = experts_M.const_data_ptr<std::int64_t>()[m];
    products.push_back({.x_MI = x + m / pairs_per_row * inputs * bytes,
                        .weight_OI = weights + expert * outputs * inputs * bytes,
                        .bias_O = nullptr,
                        .y_MO = y + m * outputs * bytes,
                        .rows = 1,
                        .inputs = inputs,
                        .outputs = outputs});
  }
  run_few_rows(products, x_MI.scalar_type());
  return y_MO;
}

at::Tensor run_in_place(const MoeFeedForward& weights, const at::Tensor& x_ND, const Routing& routing) {
  const at::Tensor experts_M = routing.choice_NK.contiguous();
  const at::Tensor hidden_MF =
      fused_swiglu(multiply_chosen(x_ND.contiguous(), weights.experts_gate_up_E2FD, experts_M));
  const at::Tensor y_MD = multiply_chosen(hidden_MF, weights.experts_down_EDF, experts_M);
  return weighted_sum(routing, y_MD.view({x_ND.size(0), -1, x_ND.size(1)}));
}

bool can_run_in_place(const MoeFeedForward& weights, const at::Tensor& x_ND) {
  const at::ScalarType dtype = x_ND.scalar_type();
  return is_inference() && x_ND.is_cpu() && has_few_rows_kernel(dtype) &&
         weights.experts_gate_up_E2FD.is_contiguous() && weights.experts_down_EDF.is_contiguous() &&
         weights.experts_gate_up_E2FD.scalar_type() == dtype && weights.experts_down_EDF.scalar_type() == dtype;
}

// The biases of the chosen experts, weighted as their outputs: a product of [N,E] weights, most of them 0.
at::Tensor chosen_biases(const Routing& routing, const at::Tensor& bias_ED) {
  const at::Tensor weights_NE = at::zeros({routing.choice_NK.size(0), bias_ED.size(0)}, routing.weights_NK.options())
                                    .scatter(1, routing.choice_NK, routing.weights_NK);
  return weights_NE.to(bias_ED.scalar_type()).matmul(bias_ED);
}

at::Tensor shared_expert(const MoeFeedForward& weights, const at::Tensor& x_ND) {
  const at::Tensor y_ND = dense_feed_forward(weights.shared, x_ND);
  if (!weights.shared_gate_1D.defined()) return y_ND;
  return at::sigmoid(at::linear(x_ND, weights.shared_gate_1D)) * y_ND;
}

}  // namespace

at::Tensor routed_experts(const MoeFeedForward& weights, const at::Tensor& x_ND, const Routing& routing) {
  const bool few = routing.choice_NK.numel() <= kMostSinglePairs;
  if (few && can_run_in_place(weights, x_ND)) return run_in_place(weights, x_ND, routing);
  if (few && x_ND.is_cuda() && is_inference() && !has_grouped_operator(weights, x_ND)) {
    return run_gathered(weights, x_ND, routing);
  }
  return run_grouped(weights, x_ND, routing);
}

at::Tensor moe_feed_forward(const Layer& layer, std::int64_t index, const at::Tensor& x, const BlockContext& context) {
  const ForwardOptions& options = options_of(context);
  const auto& weights = std::get<MoeFeedForward>(layer.feed_forward);
  const at::Tensor x_ND = x.reshape({-1, x.size(-1)});
  const Routing routing = route(layer.config.feed_forward, weights, x_ND);
  if (options.routers != nullptr) {
    options.routers->push_back({index, routing.logits_NE, routing.choice_NK, routing.weights_NK});
  }
  if (options.probe != nullptr) {
    (*options.probe)(tap::kRouterLogits, index, routing.logits_NE);
    (*options.probe)(tap::kExpertChoice, index, routing.choice_NK);
    (*options.probe)(tap::kExpertWeights, index, routing.weights_NK);
  }
  at::Tensor y_ND = routed_experts(weights, x_ND, routing);
  if (weights.experts_down_bias_ED.defined()) y_ND = y_ND + chosen_biases(routing, weights.experts_down_bias_ED);
  if (weights.shared.gate.weight_OI.defined()) y_ND = y_ND + shared_expert(weights, x_ND);
  return y_ND.view(x.sizes());
}

}  // namespace lathe
