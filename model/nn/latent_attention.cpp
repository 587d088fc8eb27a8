#include "model/nn/latent_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/baddbmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/softmax.h>

#include <cmath>
#include <limits>

#include "model/nn/attention.h"
#include "model/nn/linear.h"
#include "model/nn/rms_norm.h"
#include "model/nn/rope.h"

// B batch, T new tokens, S all tokens seen, D hidden_size, H heads, N qk_nope_head_dim, P qk_rope_head_dim,
// R kv_lora_rank, W v_head_dim

namespace lathe {
namespace {

// From here on making keys and values for all tokens costs less than attending in the wider latent space.
constexpr std::int64_t kMostAbsorbedTokens = 16;

struct Queries {
  at::Tensor nope_BHTN;
  at::Tensor rope_BHTP;
};

struct Latents {
  at::Tensor latent_BSR;
  at::Tensor rope_key_BSP;
};

struct ScoreRules {
  double scale = 1.0;
  at::Tensor mask_TS;  // undefined: every query sees every key
};

// The first products of queries and latents share their input.
struct Projected {
  at::Tensor q;
  at::Tensor kv_a;
};

Projected project(const ModelConfig& model, const Layer& layer, const at::Tensor& x_BTD) {
  const auto& weights = std::get<LatentAttention>(layer.attention);
  const bool is_factored = layer.config.attention.q_lora_rank > 0;
  const std::vector<at::Tensor> first = apply_all({is_factored ? &weights.q_a : &weights.q, &weights.kv_a}, x_BTD);
  if (!is_factored) return {.q = first[0], .kv_a = first[1]};
  return {.q = apply(weights.q, rms_norm(first[0], weights.q_a_norm_Q, model.rms_norm_eps)), .kv_a = first[1]};
}

Queries make_queries(const ModelConfig& model, const Layer& layer, const at::Tensor& projected_BTO,
                     const RopeTable& table) {
  const AttentionConfig& mla = layer.config.attention;
  at::Tensor q = projected_BTO;
  const std::int64_t width = mla.qk_nope_head_dim + mla.qk_rope_head_dim;
  q = q.view({q.size(0), q.size(1), model.num_attention_heads, width}).transpose(1, 2);
  return {.nope_BHTN = q.narrow(-1, 0, mla.qk_nope_head_dim),
          .rope_BHTP = apply_rope(q.narrow(-1, mla.qk_nope_head_dim, mla.qk_rope_head_dim), table)};
}

Latents make_latents(const ModelConfig& model, const Layer& layer, const at::Tensor& kv, const RopeTable& table) {
  const auto& weights = std::get<LatentAttention>(layer.attention);
  const AttentionConfig& mla = layer.config.attention;
  at::Tensor latent = kv.narrow(-1, 0, mla.kv_lora_rank);
  if (mla.latent_norm) latent = rms_norm(latent, weights.kv_a_norm_R, model.rms_norm_eps);
  return {.latent_BSR = latent,
          .rope_key_BSP = apply_rope(kv.narrow(-1, mla.kv_lora_rank, mla.qk_rope_head_dim), table)};
}

Latents append(LayerCache& cache, const Latents& fresh, std::int64_t first_position) {
  const std::int64_t tokens = fresh.latent_BSR.size(1);
  cache.latent_BCR.narrow(1, first_position, tokens).copy_(fresh.latent_BSR);
  cache.rope_key_BCP.narrow(1, first_position, tokens).copy_(fresh.rope_key_BSP);
  return {.latent_BSR = cache.latent_BCR.narrow(1, 0, first_position + tokens),
          .rope_key_BSP = cache.rope_key_BCP.narrow(1, 0, first_position + tokens)};
}

AttentionInputs materialise(const Layer& layer, const Queries& queries, const Latents& latents, double scale) {
  const AttentionConfig& mla = layer.config.attention;
  const std::int64_t batch = latents.latent_BSR.size(0);
  const std::int64_t seen = latents.latent_BSR.size(1);
  const std::int64_t heads = queries.nope_BHTN.size(1);
  const at::Tensor kv_BHSX = apply(std::get<LatentAttention>(layer.attention).kv_b, latents.latent_BSR)
                                 .view({batch, seen, heads, mla.qk_nope_head_dim + mla.v_head_dim})
                                 .transpose(1, 2);
  const at::Tensor rope_key_BHSP = latents.rope_key_BSP.unsqueeze(1).expand({batch, heads, seen, mla.qk_rope_head_dim});
  return {.q_BHTK = at::cat({queries.nope_BHTN, queries.rope_BHTP}, -1),
          .k_BGSK = at::cat({kv_BHSX.narrow(-1, 0, mla.qk_nope_head_dim), rope_key_BHSP}, -1),
          .v_BGSW = kv_BHSX.narrow(-1, mla.qk_nope_head_dim, mla.v_head_dim),
          .scale = scale};
}

// scores = scale (q_nope W_UK c + q_rope k_rope): one product with the latents of all tokens for all heads.
at::Tensor attend_absorbed(const Layer& layer, const Queries& queries, const Latents& latents,
                           const ScoreRules& rules) {
  const AttentionConfig& mla = layer.config.attention;
  const std::int64_t batch = queries.nope_BHTN.size(0);
  const std::int64_t heads = queries.nope_BHTN.size(1);
  const std::int64_t tokens = queries.nope_BHTN.size(2);
  const std::int64_t rows = heads * tokens;
  const at::Tensor kv_b_HXR = std::get<LatentAttention>(layer.attention)
                                  .kv_b.weight_OI.view({heads, mla.qk_nope_head_dim + mla.v_head_dim, -1});
  const at::Tensor key_up_HNR = kv_b_HXR.narrow(1, 0, mla.qk_nope_head_dim);
  const at::Tensor value_up_HWR = kv_b_HXR.narrow(1, mla.qk_nope_head_dim, mla.v_head_dim);

  const auto by_head = [&](const at::Tensor& x_BHTZ) {
    return x_BHTZ.transpose(0, 1).reshape({heads, batch * tokens, x_BHTZ.size(3)});
  };
  const auto by_batch = [&](const at::Tensor& x_HMZ) {
    return x_HMZ.view({heads, batch, tokens, x_HMZ.size(2)}).transpose(0, 1).reshape({batch, rows, x_HMZ.size(2)});
  };
  const at::Tensor q_latent_BMR = by_batch(at::bmm(by_head(queries.nope_BHTN), key_up_HNR));
  const at::Tensor q_rope_BMP = queries.rope_BHTP.reshape({batch, rows, mla.qk_rope_head_dim});
  at::Tensor scores_BMS = at::bmm(q_rope_BMP, latents.rope_key_BSP.transpose(1, 2));
  scores_BMS = at::baddbmm(scores_BMS, q_latent_BMR, latents.latent_BSR.transpose(1, 2)).to(at::kFloat);
  scores_BMS = scores_BMS * rules.scale;
  if (rules.mask_TS.defined()) {
    const double minus_infinity = -std::numeric_limits<double>::infinity();
    scores_BMS = scores_BMS.view({batch, heads, tokens, -1})
                     .masked_fill(rules.mask_TS.logical_not(), minus_infinity)
                     .view({batch, rows, -1});
  }
  const at::Tensor weights_BMS = at::softmax(scores_BMS, -1).to(latents.latent_BSR.scalar_type());
  const at::Tensor out_BHTR = at::bmm(weights_BMS, latents.latent_BSR).view({batch, heads, tokens, -1});
  return at::bmm(by_head(out_BHTR), value_up_HWR.transpose(1, 2)).view({heads, batch, tokens, -1}).transpose(0, 1);
}

}  // namespace

at::Tensor latent_attention(const ModelConfig& model, const Layer& layer, std::int64_t index, const at::Tensor& x_BTD,
                            const BlockContext& context) {
  const ForwardOptions& options = options_of(context);
  const auto& weights = std::get<LatentAttention>(layer.attention);
  const AttentionConfig& mla = layer.config.attention;
  const RopeTable table = select_rope_pairs({context.cos_TF, context.sin_TF}, mla.rope_pairs);
  const Projected projected = project(model, layer, x_BTD);
  const Queries queries = make_queries(model, layer, projected.q, table);
  Latents latents = make_latents(model, layer, projected.kv_a, table);
  if (options.probe != nullptr) (*options.probe)(tap::kLatent, index, latents.latent_BSR);
  if (options.cache != nullptr) {
    LayerCache& cache = options.cache->layers[static_cast<std::size_t>(index)];
    latents = append(cache, latents, context.first_position);
  }
  const double scale = 1.0 / std::sqrt(static_cast<double>(mla.qk_nope_head_dim + mla.qk_rope_head_dim));
  const bool wants_weights = options.probe != nullptr && options.probe->wants(tap::kAttentionWeights, index);
  // Without cached tokens there is nothing that absorbing would spare.
  const bool absorb = options.absorb && options.cache != nullptr && context.first_position > 0 &&
                      x_BTD.size(1) <= kMostAbsorbedTokens && !weights.kv_b.bias_O.defined();
  at::Tensor out_BHTW;
  if (!absorb || wants_weights) {
    const AttentionInputs inputs = materialise(layer, queries, latents, scale);
    if (wants_weights) (*options.probe)(tap::kAttentionWeights, index, attention_weights(inputs));
    if (!absorb) out_BHTW = attend(inputs, context.mask_TS);
  }
  if (absorb) out_BHTW = attend_absorbed(layer, queries, latents, {.scale = scale, .mask_TS = context.mask_TS});
  return apply(weights.o, out_BHTW.transpose(1, 2).reshape({x_BTD.size(0), x_BTD.size(1), -1}));
}

}  // namespace lathe
