#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

#include "model/data/snapshot.h"
#include "model/nn/layer.h"

namespace lathe {

/// Second moments of MLA latents while a model runs: how much of the latent space is in use. Fed by tap::kLatent; costs
/// one R x R product a tap, on the device, without waiting for it. Older tokens fade: a token weighs 1/e after
/// `memory_tokens` more.
class LatentMoments {
 public:
  explicit LatentMoments(double memory_tokens = 4096) : memory_tokens_(memory_tokens) {}

  /// latent_BTR, any dtype and device.
  void add(std::int64_t layer, const at::Tensor& latent_BTR);

  /// Layers that add() was called for.
  std::vector<std::int64_t> layers() const;

  /// Eigenvalues of the second moment of `layer`, whose sum is the mean squared length of a latent; num_tokens is the
  /// weight of what was seen. Waits for the device.  Throws Error if nothing was added for the layer.
  LiveLatent spectrum(std::int64_t layer) const;

  void clear() { moments_.clear(); }

 private:
  struct Moment {
    at::Tensor sum_RR;  // fp32
    double weight = 0;
  };
  double memory_tokens_;
  std::map<std::int64_t, Moment> moments_;
};

}  // namespace lathe
