#include "model/nn/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>

#include <cmath>
#include <limits>

#include "model/nn/linear.h"
#include "model/nn/one_query.h"
#include "model/nn/rms_norm.h"
#include "model/nn/rope.h"

// B batch, T new tokens, S all tokens seen, D hidden_size, H query heads, G key-value heads, K head_dim, W width of v

namespace lathe {
namespace {

at::Tensor pad_last(const at::Tensor& x, std::int64_t width) {
  return x.size(-1) == width ? x : at::constant_pad_nd(x, {0, width - x.size(-1)});
}

// [B,G,S,K] -> [B,H,S,K], each head repeated in place.
at::Tensor repeat_heads(const at::Tensor& x_BGSK, std::int64_t num_heads) {
  const std::int64_t groups = x_BGSK.size(1);
  if (groups == num_heads) return x_BGSK;
  return x_BGSK.unsqueeze(2)
      .expand({x_BGSK.size(0), groups, num_heads / groups, x_BGSK.size(2), x_BGSK.size(3)})
      .reshape({x_BGSK.size(0), num_heads, x_BGSK.size(2), x_BGSK.size(3)});
}

// On CUDA only the half-precision kernels without a mask take fewer key than query heads.
bool shares_heads(const at::Tensor& q, const at::Tensor& mask_TS) {
  return !q.is_cuda() || (!mask_TS.defined() && q.scalar_type() != at::kFloat);
}

// The fused GPU kernels read 16 bytes at a time from wherever a row begins, without asking whether they may.
at::Tensor aligned(const at::Tensor& x) {
  if (!x.is_cuda()) return x;
  const auto is_whole = [&x](std::int64_t values) { return values * x.element_size() % 16 == 0; };
  bool whole = is_whole(x.storage_offset());
  for (std::int64_t dim = 0; dim + 1 < x.dim(); ++dim) whole = whole && is_whole(x.stride(dim));
  return whole ? x : x.contiguous();
}

at::Tensor fused_attention(const AttentionInputs& inputs, const at::Tensor& mask_TS, bool is_causal) {
  // The fused kernels want one width for q, k and v: zeros add nothing to a score and are cut off the output.
  const std::int64_t v_width = inputs.v_BGSW.size(3);
  const std::int64_t width = std::max(inputs.q_BHTK.size(3), v_width);
  const auto ready = [width](const at::Tensor& x) { return aligned(pad_last(x, width)); };
  const auto mask = mask_TS.defined() ? std::optional(mask_TS) : std::nullopt;
  const bool is_grouped = inputs.k_BGSK.size(1) != inputs.q_BHTK.size(1);
  const at::Tensor out =
      at::scaled_dot_product_attention(ready(inputs.q_BHTK), ready(inputs.k_BGSK), ready(inputs.v_BGSW), mask,
                                       /*dropout_p=*/0.0, is_causal, inputs.scale, /*enable_gqa=*/is_grouped);
  return v_width == width ? out : out.narrow(-1, 0, v_width);
}

// One query sees every key: the query heads that share a key head are as good as so many queries of that head, which
// every kernel takes, in every dtype, without a copy of the keys for each.
at::Tensor attend_folded(const AttentionInputs& inputs) {
  const at::Tensor& q = inputs.q_BHTK;
  const std::int64_t groups = inputs.k_BGSK.size(1);
  const at::Tensor q_BGTK = q.reshape({q.size(0), groups, q.size(1) / groups, q.size(3)});
  const AttentionInputs folded{q_BGTK, inputs.k_BGSK, inputs.v_BGSW, inputs.scale};
  return fused_attention(folded, /*mask_TS=*/{}, /*is_causal=*/false).reshape({q.size(0), q.size(1), 1, -1});
}

// The rows of the new tokens go into the cache; what comes back is everything seen.
at::Tensor append(at::Tensor& cache_BGCK, const at::Tensor& new_BGTK, std::int64_t first_position) {
  const std::int64_t tokens = new_BGTK.size(2);
  cache_BGCK.narrow(2, first_position, tokens).copy_(new_BGTK);
  return cache_BGCK.narrow(2, 0, first_position + tokens);
}

// Which of the keys from 0 on a query at each of the positions sees: bool [T,S]. `window` 0: all up to its own.
at::Tensor visible(const PositionRange& positions, std::int64_t window, at::Device device) {
  const auto type = at::TensorOptions().dtype(at::kBool).device(device);
  const std::int64_t seen = positions.first + positions.count;
  at::Tensor mask_TS = at::ones({positions.count, seen}, type).tril_(positions.first);
  return window > 0 ? mask_TS.triu_(positions.first - window + 1) : mask_TS;
}

// attend() where a query sees the last `window` keys; one query needs no mask for that, only fewer keys.
at::Tensor attend_window(const AttentionInputs& inputs, const BlockContext& context, std::int64_t window) {
  const std::int64_t seen = inputs.k_BGSK.size(2);
  if (window == 0 || seen <= window) return attend(inputs, context.mask_TS);
  if (inputs.q_BHTK.size(2) > 1) {
    const PositionRange positions{seen - inputs.q_BHTK.size(2), inputs.q_BHTK.size(2)};
    return attend(inputs, visible(positions, window, inputs.q_BHTK.device()));
  }
  return attend({.q_BHTK = inputs.q_BHTK,
                 .k_BGSK = inputs.k_BGSK.narrow(2, seen - window, window),
                 .v_BGSW = inputs.v_BGSW.narrow(2, seen - window, window),
                 .scale = inputs.scale},
                /*mask_TS=*/{});
}

}  // namespace

const ForwardOptions& options_of(const BlockContext& context) {
  static const ForwardOptions defaults;
  return context.options == nullptr ? defaults : *context.options;
}

at::Tensor attend(const AttentionInputs& inputs, const at::Tensor& mask_TS) {
  if (is_one_query(inputs)) return attend_one_query(inputs);
  if (inputs.q_BHTK.is_cuda() && inputs.q_BHTK.size(2) == 1) return attend_folded(inputs);
  const std::int64_t heads = inputs.q_BHTK.size(1);
  const bool shared = shares_heads(inputs.q_BHTK, mask_TS);
  return fused_attention({.q_BHTK = inputs.q_BHTK,
                          .k_BGSK = shared ? inputs.k_BGSK : repeat_heads(inputs.k_BGSK, heads),
                          .v_BGSW = shared ? inputs.v_BGSW : repeat_heads(inputs.v_BGSW, heads),
                          .scale = inputs.scale},
                         mask_TS, /*is_causal=*/!mask_TS.defined() && inputs.q_BHTK.size(2) > 1);
}

at::Tensor attention_weights(const AttentionInputs& inputs, std::int64_t window) {
  const std::int64_t tokens = inputs.q_BHTK.size(2);
  const std::int64_t seen = inputs.k_BGSK.size(2);
  const at::Tensor k = repeat_heads(inputs.k_BGSK, inputs.q_BHTK.size(1)).to(at::kFloat);
  const at::Tensor scores = at::matmul(inputs.q_BHTK.to(at::kFloat) * inputs.scale, k.transpose(-1, -2));
  const at::Tensor mask_TS = visible({seen - tokens, tokens}, window, scores.device());
  return at::softmax(scores.masked_fill(mask_TS.logical_not(), -std::numeric_limits<double>::infinity()), -1);
}

at::Tensor grouped_query_attention(const ModelConfig& config, const Layer& layer, std::int64_t index,
                                   const at::Tensor& x_BTD, const BlockContext& context) {
  const auto& weights = std::get<GroupedQueryAttention>(layer.attention);
  const ForwardOptions& options = options_of(context);
  const std::int64_t batch = x_BTD.size(0);
  const std::int64_t tokens = x_BTD.size(1);
  const auto split_heads = [&](const at::Tensor& y_BTO) { return y_BTO.view({batch, tokens, -1, config.head_dim}); };
  const auto turned = [&](const at::Tensor& y_BTO, const at::Tensor& norm_K) {
    at::Tensor y_BTHK = split_heads(y_BTO);
    if (norm_K.defined()) y_BTHK = rms_norm(y_BTHK, norm_K, config.rms_norm_eps);
    return apply_rope(y_BTHK.transpose(1, 2), context.rope->all(context.positions));
  };
  const std::vector<at::Tensor> qkv = apply_all({&weights.q, &weights.k, &weights.v}, x_BTD);
  if (options.probe != nullptr) {
    (*options.probe)(tap::kKey, index, qkv[1]);
    (*options.probe)(tap::kValue, index, qkv[2]);
  }
  AttentionInputs inputs{.q_BHTK = turned(qkv[0], weights.q_norm_K),
                         .k_BGSK = turned(qkv[1], weights.k_norm_K),
                         .v_BGSW = split_heads(qkv[2]).transpose(1, 2),
                         .scale = 1.0 / std::sqrt(static_cast<double>(config.head_dim))};
  if (options.cache != nullptr) {
    LayerCache& cache = options.cache->layers[static_cast<std::size_t>(index)];
    inputs.k_BGSK = append(cache.k_BGCK, inputs.k_BGSK, context.positions.first);
    inputs.v_BGSW = append(cache.v_BGCK, inputs.v_BGSW, context.positions.first);
  }
  const std::int64_t window = layer.config.attention.sliding_window;
  if (options.probe != nullptr && options.probe->wants(tap::kAttentionWeights, index)) {
    (*options.probe)(tap::kAttentionWeights, index, attention_weights(inputs, window));
  }
  const at::Tensor out_BHTK = attend_window(inputs, context, window);
  return apply(weights.o, out_BHTK.transpose(1, 2).reshape({batch, tokens, -1}));
}

}  // namespace lathe
