#pragma once

#include <ATen/core/Tensor.h>

namespace lathe {

/// Adds up || y - y' || / || y || over pieces of a tensor, in fp64 on the tensors' device.
class RelativeError {
 public:
  void add(const at::Tensor& y, const at::Tensor& y_hat);

  /// Waits for the device. 0 if nothing was added or both are 0.
  double value() const;

 private:
  at::Tensor lost_;
  at::Tensor whole_;
};

}  // namespace lathe
