#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "model/data/receipt.h"

namespace lathe {

/// Adds up || y - y' || / || y || over pieces of a tensor, in fp64 on the tensors' device.
class RelativeError {
 public:
  void add(const at::Tensor& y, const at::Tensor& y_hat);

  /// Waits for the device. 0 if nothing was added or both are 0.
  double value() const;

  /// The value as the cost of a stage of layer `index`. Throws Error if it is not finite: nobody could judge by it, and
  /// a receipt could not hold it.
  StageCost cost_of(std::string stage, std::int64_t index) const;

 private:
  at::Tensor lost_;
  at::Tensor whole_;
};

}  // namespace lathe
