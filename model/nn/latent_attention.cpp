#include "model/nn/latent_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/softmax.h>

#include <cmath>
#include <limits>

#include "model/nn/attention.h"
#include "model/nn/linear.h"
#include "model/nn/one_query.h"
#include "model/nn/rms_norm.h"
#include "model/nn/rope.h"

// B batch, T new tokens, S all tokens seen, D hidden_size, H heads, N qk_nope_head_dim, P qk_rope_head_dim,
// R kv_lora_rank, L = R + P, W v_head_dim

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

Projected project(const Layer& layer, const at::Tensor& x_BTD) {
  const auto& weights = std::get<LatentAttention>(layer.attention);
  const bool is_factored = layer.config.attention.q_lora_rank > 0;
  const std::vector<at::Tensor> first = apply_all({is_factored ? &weights.q_a : &weights.q, &weights.kv_a}, x_BTD);
  if (!is_factored) return {.q = first[0], .kv_a = first[1]};
  return {.q = apply(weights.q, rms_norm(first[0], weights.q_a_norm_Q, kLatentNormEps)), .kv_a = first[1]};
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

Latents make_latents(const Layer& layer, const at::Tensor& kv, const RopeTable& table) {
  const auto& weights = std::get<LatentAttention>(layer.attention);
  const AttentionConfig& mla = layer.config.attention;
  at::Tensor latent = kv.narrow(-1, 0, mla.kv_lora_rank);
  if (mla.latent_norm) latent = rms_norm(latent, weights.kv_a_norm_R, kLatentNormEps);
  return {.latent_BSR = latent,
          .rope_key_BSP = apply_rope(kv.narrow(-1, mla.kv_lora_rank, mla.qk_rope_head_dim), table)};
}

// The rows of the new tokens go into the cache; what comes back is everything seen.
at::Tensor append(LayerCache& cache, const Latents& fresh, const PositionRange& positions) {
  const std::int64_t rank = fresh.latent_BSR.size(2), rope = fresh.rope_key_BSP.size(2);
  const at::Tensor rows_BTL = cache.latent_BCL.narrow(1, positions.first, positions.count);
  rows_BTL.narrow(2, 0, rank).copy_(fresh.latent_BSR);
  rows_BTL.narrow(2, rank, rope).copy_(fresh.rope_key_BSP);
  return cache.latent_BCL.narrow(1, 0, positions.first + positions.count);
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

// a b in fp32 whatever a and b are in: scores that are rounded before they are compared choose other tokens.
at::Tensor product_in_f32(const at::Tensor& a_BMK, const at::Tensor& b_BKN) {
  if (a_BMK.is_cuda() && a_BMK.scalar_type() != at::kFloat) return at::bmm(a_BMK, b_BKN, at::kFloat);
  return at::bmm(a_BMK.to(at::kFloat), b_BKN.to(at::kFloat));
}

// attend() for all heads at once over keys and values that they share and that have widths no fused kernel takes.
at::Tensor attend_shared(const AttentionInputs& inputs, const at::Tensor& mask_TS) {
  const at::Tensor& q = inputs.q_BHTK;
  const std::int64_t batch = q.size(0), heads = q.size(1), tokens = q.size(2);
  const at::Tensor k_BSK = inputs.k_BGSK.squeeze(1), v_BSW = inputs.v_BGSW.squeeze(1);
  at::Tensor scores_BMS = product_in_f32(q.reshape({batch, heads * tokens, -1}), k_BSK.transpose(1, 2)) * inputs.scale;
  if (mask_TS.defined()) {
    const double minus_infinity = -std::numeric_limits<double>::infinity();
    scores_BMS = scores_BMS.view({batch, heads, tokens, -1})
                     .masked_fill(mask_TS.logical_not(), minus_infinity)
                     .view({batch, heads * tokens, -1});
  }
  const at::Tensor weights_BMS = at::softmax(scores_BMS, -1).to(v_BSW.scalar_type());
  return at::bmm(weights_BMS, v_BSW).view({batch, heads, tokens, -1});
}

// scores = scale (q_nope W_UK c + q_rope k_rope): to the cache's rows MLA is attention with one key head, whose keys
// are the rows and whose values are the latents in them.
at::Tensor attend_absorbed(const Layer& layer, const Queries& queries, const at::Tensor& seen_BSL,
                           const ScoreRules& rules) {
  const AttentionConfig& mla = layer.config.attention;
  const std::int64_t batch = queries.nope_BHTN.size(0);
  const std::int64_t heads = queries.nope_BHTN.size(1);
  const std::int64_t tokens = queries.nope_BHTN.size(2);
  const at::Tensor kv_b_HXR = std::get<LatentAttention>(layer.attention)
                                  .kv_b.weight_OI.view({heads, mla.qk_nope_head_dim + mla.v_head_dim, -1});
  const auto by_head = [&](const at::Tensor& x_BHTZ, const at::Tensor& weight_HZO) {
    const at::Tensor x_HMZ = x_BHTZ.transpose(0, 1).reshape({heads, batch * tokens, x_BHTZ.size(3)});
    return at::bmm(x_HMZ, weight_HZO).view({heads, batch, tokens, -1}).transpose(0, 1);
  };
  const at::Tensor q_latent_BHTR = by_head(queries.nope_BHTN, kv_b_HXR.narrow(1, 0, mla.qk_nope_head_dim));
  const AttentionInputs inputs{.q_BHTK = at::cat({q_latent_BHTR, queries.rope_BHTP}, -1),
                               .k_BGSK = seen_BSL.unsqueeze(1),
                               .v_BGSW = seen_BSL.narrow(2, 0, mla.kv_lora_rank).unsqueeze(1),
                               .scale = rules.scale};
  const at::Tensor out_BHTR = is_one_query(inputs) ? attend_one_query(inputs) : attend_shared(inputs, rules.mask_TS);
  return by_head(out_BHTR, kv_b_HXR.narrow(1, mla.qk_nope_head_dim, mla.v_head_dim).transpose(1, 2));
}

}  // namespace

at::Tensor latent_attention(const ModelConfig& model, const Layer& layer, std::int64_t index, const at::Tensor& x_BTD,
                            const BlockContext& context) {
  const ForwardOptions& options = options_of(context);
  const auto& weights = std::get<LatentAttention>(layer.attention);
  const AttentionConfig& mla = layer.config.attention;
  const RopeTable table = context.rope->selected(context.positions, mla.rope_pairs);
  const Projected projected = project(layer, x_BTD);
  const Queries queries = make_queries(model, layer, projected.q, table);
  Latents latents = make_latents(layer, projected.kv_a, table);
  if (options.probe != nullptr) (*options.probe)(tap::kLatent, index, latents.latent_BSR);
  at::Tensor seen_BSL;
  if (options.cache != nullptr) {
    seen_BSL = append(options.cache->layers[static_cast<std::size_t>(index)], latents, context.positions);
  }
  const bool follows = options.cache != nullptr && context.positions.first > 0;
  if (follows) {
    latents = {.latent_BSR = seen_BSL.narrow(2, 0, mla.kv_lora_rank),
               .rope_key_BSP = seen_BSL.narrow(2, mla.kv_lora_rank, mla.qk_rope_head_dim)};
  }
  const double scale = model.rope_scaling.score_factor /
                       std::sqrt(static_cast<double>(mla.qk_nope_head_dim + mla.qk_rope_head_dim));
  const bool wants_weights = options.probe != nullptr && options.probe->wants(tap::kAttentionWeights, index);
  // Without cached tokens there is nothing that absorbing would spare.
  const bool absorb =
      options.absorb && follows && x_BTD.size(1) <= kMostAbsorbedTokens && !weights.kv_b.bias_O.defined();
  at::Tensor out_BHTW;
  if (!absorb || wants_weights) {
    const AttentionInputs inputs = materialise(layer, queries, latents, scale);
    if (wants_weights) (*options.probe)(tap::kAttentionWeights, index, attention_weights(inputs));
    if (!absorb) out_BHTW = attend(inputs, context.mask_TS);
  }
  if (absorb) out_BHTW = attend_absorbed(layer, queries, seen_BSL, {.scale = scale, .mask_TS = context.mask_TS});
  return apply(weights.o, out_BHTW.transpose(1, 2).reshape({x_BTD.size(0), x_BTD.size(1), -1}));
}

}  // namespace lathe
