#include "model/infer/latent_moments.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/mm.h>

#include <cmath>

#include "model/data/error.h"

namespace lathe {

// B batch, T tokens, N = B*T, R kv_lora_rank

void LatentMoments::add(std::int64_t layer, const at::Tensor& latent_BTR) {
  const at::NoGradGuard no_gradients;
  const at::Tensor latent_NR = latent_BTR.detach().flatten(0, -2).to(at::kFloat);
  const at::Tensor product_RR = at::mm(latent_NR.t(), latent_NR);
  const auto tokens = static_cast<double>(latent_NR.size(0));
  Moment& moment = moments_[layer];
  if (!moment.sum_RR.defined() || !moment.sum_RR.sizes().equals(product_RR.sizes())) {
    moment = {product_RR, tokens};
    return;
  }
  const double keep = std::exp(-tokens / memory_tokens_);
  moment.sum_RR = moment.sum_RR.mul(keep).add_(product_RR);
  moment.weight = moment.weight * keep + tokens;
}

std::vector<std::int64_t> LatentMoments::layers() const {
  std::vector<std::int64_t> layers;
  for (const auto& [layer, moment] : moments_) layers.push_back(layer);
  return layers;
}

LiveLatent LatentMoments::spectrum(std::int64_t layer) const {
  const auto found = moments_.find(layer);
  check(found != moments_.end(), "[latent] layer ", layer, " has shown no latent yet; is its attention MLA?");
  const Moment& moment = found->second;
  const at::NoGradGuard no_gradients;
  const at::Tensor mean_RR = moment.sum_RR.to(at::kCPU, at::kDouble).div(moment.weight);
  const at::Tensor values_R = at::linalg_eigvalsh(mean_RR).flip(0).clamp_min(0).to(at::kFloat).contiguous();
  LiveLatent latent;
  latent.layer = layer;
  latent.num_tokens = std::llround(moment.weight);
  const auto* values = values_R.const_data_ptr<float>();
  latent.eigenvalues.assign(values, values + values_R.numel());
  return latent;
}

}  // namespace lathe
