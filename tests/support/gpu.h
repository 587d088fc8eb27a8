#pragma once

#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "model/cuda/load.h"
#include "model/nn/names.h"

namespace lathe {

/// Loads CUDA's operators, as the program does, and looks whether there is a GPU to run them. A driver without them
/// fails the test: on a machine with a GPU nothing may skip.
inline bool has_gpu() {
  static const std::string complaint = load_cuda();
  EXPECT_EQ(complaint, "");
  return at::hasCUDA() && at::detail::getCUDAHooks().deviceCount() > 0;
}

/// Tests that need a GPU; they skip, and say so, where there is none.
class GpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_gpu()) GTEST_SKIP() << "no GPU here";
  }

  const at::Device gpu_{at::kCUDA, 0};
};

/// The same weights on another device, in another dtype.
inline Model moved(const Model& model, at::Device device, at::ScalarType dtype = at::kFloat) {
  return map_model(model, [&](const std::string&, const at::Tensor& tensor) { return tensor.to(device, dtype); });
}

}  // namespace lathe
