#pragma once

#include <ATen/Context.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "model/nn/names.h"

namespace lathe {

/// Loads CUDA's operators, as the program does, and looks whether there is a GPU to run them.
inline bool has_gpu() {
  dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
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
