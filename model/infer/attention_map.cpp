#include "model/infer/attention_map.h"

#include <ATen/ops/amax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <variant>

#include "model/infer/token_ids.h"
#include "model/nn/attention.h"
#include "model/nn/forward.h"
#include "model/nn/latent_attention.h"
#include "model/nn/linear.h"
#include "model/nn/rms_norm.h"
#include "model/nn/rope.h"

namespace lathe {
namespace {

// T tokens, D hidden_size, K width of q and k, N qk_nope_head_dim, P qk_rope_head_dim, W v_head_dim, C cells of a side

/// Rows of weights that exist at one time.
constexpr std::int64_t kRows = 256;

/// One head's queries and keys after RoPE.
struct HeadInputs {
  at::Tensor q_TK, k_TK;
};

Linear rows_of(const Linear& linear, std::int64_t first, std::int64_t count) {
  return {linear.weight_OI.narrow(0, first, count),
          linear.bias_O.defined() ? linear.bias_O.narrow(0, first, count) : at::Tensor()};
}

HeadInputs gqa_head(const ModelConfig& config, const GroupedQueryAttention& weights, std::int64_t head,
                    const at::Tensor& x_TD) {
  const std::int64_t width = config.head_dim;
  const std::int64_t key_head = head / (config.num_attention_heads / config.num_key_value_heads);
  const RopeTable table = make_rope_table(config, {0, x_TD.size(0)}, x_TD.device());
  return {apply_rope(apply(rows_of(weights.q, head * width, width), x_TD), table),
          apply_rope(apply(rows_of(weights.k, key_head * width, width), x_TD), table)};
}

HeadInputs mla_head(const ModelConfig& config, const Layer& layer, std::int64_t head, const at::Tensor& x_TD) {
  const auto& weights = std::get<LatentAttention>(layer.attention);
  const AttentionConfig& mla = layer.config.attention;
  const std::int64_t nope = mla.qk_nope_head_dim, rope = mla.qk_rope_head_dim;
  const RopeTable table = select_rope_pairs(make_rope_table(config, {0, x_TD.size(0)}, x_TD.device()), mla.rope_pairs);
  at::Tensor q = x_TD;
  if (mla.q_lora_rank > 0) q = rms_norm(apply(weights.q_a, x_TD), weights.q_a_norm_Q, kLatentNormEps);
  q = apply(rows_of(weights.q, head * (nope + rope), nope + rope), q);
  const at::Tensor kv = apply(weights.kv_a, x_TD);
  at::Tensor latent = kv.narrow(-1, 0, mla.kv_lora_rank);
  if (mla.latent_norm) latent = rms_norm(latent, weights.kv_a_norm_R, kLatentNormEps);
  const at::Tensor k_TN = apply(rows_of(weights.kv_b, head * (nope + mla.v_head_dim), nope), latent);
  return {at::cat({q.narrow(-1, 0, nope), apply_rope(q.narrow(-1, nope, rope), table)}, -1),
          at::cat({k_TN, apply_rope(kv.narrow(-1, mla.kv_lora_rank, rope), table)}, -1)};
}

HeadInputs head_inputs(const Model& model, const at::Tensor& ids_1T, const AttentionView& view, const Job& job) {
  const ForwardOptions options;  // outlives the context, which points to it
  const BlockContext context = make_block_context(model, {0, ids_1T.size(1)}, options);
  at::Tensor x_1TD = at::embedding(model.embed_VD, ids_1T);
  for (std::int64_t index = 0; index < view.layer; ++index) {
    job.progress("attention map", "layers", index, view.layer);
    x_1TD = block_forward(model, index, x_1TD, context);
  }
  const Layer& layer = *model.layers[static_cast<std::size_t>(view.layer)];
  const at::Tensor x_TD = rms_norm(x_1TD, layer.attention_norm_D, model.config.rms_norm_eps)[0];
  if (std::holds_alternative<LatentAttention>(layer.attention)) return mla_head(model.config, layer, view.head, x_TD);
  return gqa_head(model.config, std::get<GroupedQueryAttention>(layer.attention), view.head, x_TD);
}

/// Maximum over pool x pool cells; what hangs over the edge counts as 0, which no weight is below.
at::Tensor pool_by_maximum(const at::Tensor& weights, std::int64_t pool, std::int64_t side) {
  const std::int64_t rows = (weights.size(0) + pool - 1) / pool;
  const at::Tensor padded =
      at::constant_pad_nd(weights, {0, side * pool - weights.size(1), 0, rows * pool - weights.size(0)});
  return at::amax(padded.view({rows, pool, side, pool}), {1, 3});
}

at::Tensor pooled_weights(const HeadInputs& head, std::int64_t pool, const Job& job) {
  const std::int64_t tokens = head.q_TK.size(0), side = (tokens + pool - 1) / pool;
  const double scale = 1.0 / std::sqrt(static_cast<double>(head.q_TK.size(1)));
  const std::int64_t step = std::max(pool, kRows / pool * pool);
  at::Tensor cells_CC = at::zeros({side, side}, head.q_TK.options().dtype(at::kFloat));
  for (std::int64_t first = 0; first < tokens; first += step) {
    job.check();
    const std::int64_t count = std::min(step, tokens - first);
    const at::Tensor q = head.q_TK.narrow(0, first, count), k = head.k_TK.narrow(0, 0, first + count);
    const at::Tensor weights = attention_weights({.q_BHTK = q.unsqueeze(0).unsqueeze(0),
                                                  .k_BGSK = k.unsqueeze(0).unsqueeze(0),
                                                  .v_BGSW = {},
                                                  .scale = scale})[0][0];
    cells_CC.narrow(0, first / pool, (count + pool - 1) / pool).copy_(pool_by_maximum(weights, pool, side));
  }
  return cells_CC;
}

}  // namespace

AttentionMap attention_map(const Model& model, std::span<const std::int32_t> ids, const AttentionView& view,
                           const Job& job) {
  const ModelConfig& config = model.config;
  check(view.layer >= 0 && view.layer < config.num_layers(), "[attention map] there is no layer ", view.layer,
        "; this model has layers 0 to ", config.num_layers() - 1);
  check(view.head >= 0 && view.head < config.num_attention_heads, "[attention map] there is no head ", view.head,
        "; this model has heads 0 to ", config.num_attention_heads - 1);
  check(view.max_side >= 1, "[attention map] a side of ", view.max_side, " cells is too small; expected at least 1");
  check_ids(model, ids, "the text to look at");
  const c10::InferenceMode no_gradients;
  AttentionMap map;
  map.layer = view.layer;
  map.head = view.head;
  map.num_tokens = std::ssize(ids);
  map.pool = (map.num_tokens + view.max_side - 1) / view.max_side;
  map.side = (map.num_tokens + map.pool - 1) / map.pool;
  const HeadInputs head = head_inputs(model, ids_tensor(model, ids), view, job);
  const at::Tensor cells_CC = pooled_weights(head, map.pool, job).to(at::kCPU).contiguous();
  const auto* cells = cells_CC.const_data_ptr<float>();
  map.weights.assign(cells, cells + cells_CC.numel());
  return map;
}

}  // namespace lathe
