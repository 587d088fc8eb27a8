#include "model/nn/moe.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_grouped_mm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>

#include "model/cuda/group_by_expert.h"
#include "model/nn/attention.h"
#include "model/nn/feed_forward.h"

// N tokens, K experts chosen by each, M = N K pairs of a token and an expert, D hidden_size, E experts,
// F moe_intermediate_size

namespace lathe {
namespace {

// Up to so many pairs the weights of the chosen experts are gathered: reading E experts would cost more.
constexpr std::int64_t kMostGatheredPairs = 16;

at::Tensor swiglu(const at::Tensor& gate_up) {
  const std::int64_t width = gate_up.size(-1) / 2;
  return at::silu(gate_up.narrow(-1, 0, width)) * gate_up.narrow(-1, width, width);
}

// The grouped operator needs rows of whole 16-byte words.
bool is_aligned(const at::Tensor& weights_EOI) {
  const std::int64_t bytes = weights_EOI.element_size();
  return weights_EOI.size(1) * bytes % 16 == 0 && weights_EOI.size(2) * bytes % 16 == 0;
}

// x_MI (sorted) times each group's own W^T: [M,O].
at::Tensor grouped_linear(const at::Tensor& x_MI, const at::Tensor& weights_EOI, const at::Tensor& ends_E) {
  if (is_aligned(weights_EOI) && x_MI.is_cuda()) {
    return at::_grouped_mm(x_MI, weights_EOI.transpose(1, 2), ends_E);
  }
  // One product an expert. unbind's gradient is a single stack, where a select each would add E full-sized tensors.
  const std::vector<at::Tensor> experts = weights_EOI.unbind(0);
  const at::Tensor ends = ends_E.cpu();
  const std::int32_t* end = ends.const_data_ptr<std::int32_t>();
  std::vector<at::Tensor> outputs;
  std::int64_t begin = 0;
  for (std::size_t e = 0; e < experts.size(); ++e) {
    if (end[e] > begin) outputs.push_back(at::linear(x_MI.narrow(0, begin, end[e] - begin), experts[e]));
    begin = end[e];
  }
  return at::cat(outputs, 0);
}

at::Tensor run_grouped(const MoeFeedForward& weights, const at::Tensor& x_ND, const Routing& routing) {
  const ExpertGroups groups = group_by_expert(routing.choice_NK.reshape({-1}), weights.router_ED.size(0));
  const at::Tensor x_MD = x_ND.index_select(0, groups.order_M.floor_divide(routing.choice_NK.size(1)));
  const at::Tensor hidden_MF = swiglu(grouped_linear(x_MD, weights.experts_gate_up_E2FD, groups.ends_E));
  const at::Tensor y_MD = grouped_linear(hidden_MF, weights.experts_down_EDF, groups.ends_E);
  const at::Tensor y_MD_by_pair = y_MD.index_select(0, groups.place_M);
  const at::Tensor y_NKD = y_MD_by_pair.view({x_ND.size(0), routing.choice_NK.size(1), x_ND.size(1)});
  return at::bmm(routing.weights_NK.unsqueeze(1).to(y_NKD.scalar_type()), y_NKD).squeeze(1);
}

// Every pair multiplies its expert's own weights. On the CPU they are read where they lie; elsewhere the gather keeps
// the choice on the device.
at::Tensor run_gathered(const MoeFeedForward& weights, const at::Tensor& x_ND, const Routing& routing) {
  const at::Tensor experts_M = routing.choice_NK.reshape({-1});
  const at::Tensor x_M1D = x_ND.repeat_interleave(routing.choice_NK.size(1), 0).unsqueeze(1);
  const at::Tensor gate_up_M2FD = weights.experts_gate_up_E2FD.index_select(0, experts_M);
  const at::Tensor hidden_M1F = swiglu(at::bmm(x_M1D, gate_up_M2FD.transpose(1, 2)));
  const at::Tensor down_MDF = weights.experts_down_EDF.index_select(0, experts_M);
  const at::Tensor y_NKD = at::bmm(hidden_M1F, down_MDF.transpose(1, 2)).view({x_ND.size(0), -1, x_ND.size(1)});
  return at::bmm(routing.weights_NK.unsqueeze(1).to(y_NKD.scalar_type()), y_NKD).squeeze(1);
}

at::Tensor shared_expert(const MoeFeedForward& weights, const at::Tensor& x_ND) {
  const at::Tensor y_ND = dense_feed_forward(weights.shared, x_ND);
  if (!weights.shared_gate_1D.defined()) return y_ND;
  return at::sigmoid(at::linear(x_ND, weights.shared_gate_1D)) * y_ND;
}

}  // namespace

at::Tensor routed_experts(const MoeFeedForward& weights, const at::Tensor& x_ND, const Routing& routing) {
  const bool gathers = routing.choice_NK.numel() <= kMostGatheredPairs && x_ND.is_cuda();
  return gathers ? run_gathered(weights, x_ND, routing) : run_grouped(weights, x_ND, routing);
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
  if (weights.shared.gate.weight_OI.defined()) y_ND = y_ND + shared_expert(weights, x_ND);
  return y_ND.view(x.sizes());
}

}  // namespace lathe
