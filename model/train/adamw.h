#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lathe {

/// Decay and moments of AdamW (Loshchilov and Hutter, arXiv:1711.05101).
struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.0;  ///< of matrices; vectors (norms, biases) never decay
};

/// AdamW over f32 weights through the fused kernel of the device they are on.
class AdamW {
 public:
  /// Keeps handles of `weights` (f32, one device) and updates them in place.
  AdamW(std::vector<at::Tensor> weights, const AdamWOptions& options);

  /// One update. `grads` f32, as `weights`, in the same order. Where the scalar f32 tensor `skip` is 1, nothing
  /// changes, without the host ever reading it.
  void step(const std::vector<at::Tensor>& grads, double lr, const at::Tensor& skip);

  /// First and second moments in the order of the weights, and the number of updates ([1], f32): saved and restored in
  /// place.
  const std::vector<at::Tensor>& first_moments() const { return first_; }
  const std::vector<at::Tensor>& second_moments() const { return second_; }
  const at::Tensor& updates() const { return updates_; }

 private:
  struct Group {
    std::vector<std::size_t> members;
    double weight_decay = 0.0;
  };

  std::vector<at::Tensor> weights_, first_, second_;
  at::Tensor updates_;
  std::vector<Group> groups_;
  AdamWOptions options_;
};

/// Norm over all tensors, a scalar f32 tensor on their device. No synchronisation.
at::Tensor global_norm(const std::vector<at::Tensor>& tensors);

/// Scales `grads` in place so that their global norm is at most `max_norm`. No synchronisation.
void clip_to_norm(std::vector<at::Tensor>& grads, const at::Tensor& norm, double max_norm);

}  // namespace lathe
