#pragma once

#include <ATen/core/Tensor.h>

#include "model/data/config.h"
#include "model/nn/forward.h"
#include "model/nn/layer.h"

namespace lathe {

/// Of the norms on latents, whatever the model's rms_norm_eps is. Source: Hugging Face DeepseekV3RMSNorm's default.
inline constexpr double kLatentNormEps = 1e-6;

/// Multi-head latent attention; x_BTD -> [B,T,D]. The cache of layer `index`, if the context has one, gets the latent
/// and the shared rope key, nothing else. A few new tokens attend in the latent space (kv_b absorbed into query and
/// output); many, and all without a cache, with keys and values made from the latent: both give the same. Source:
/// DeepSeek-V2, arXiv:2405.04434, section 2.1.2 and appendix C; Hugging Face DeepseekV3Attention.
at::Tensor latent_attention(const ModelConfig& model, const Layer& layer, std::int64_t index, const at::Tensor& x_BTD,
                            const BlockContext& context);

}  // namespace lathe
