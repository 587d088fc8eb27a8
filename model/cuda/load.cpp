#include "model/cuda/load.h"

#include <ATen/Context.h>
#include <dlfcn.h>

#include <filesystem>

namespace lathe {

std::string load_cuda() {
  // Without the driver's device node nothing can run, and loading 2 GB of libraries for nothing would cost a second.
  if (!std::filesystem::exists("/dev/nvidiactl") && !std::filesystem::exists("/dev/dxg")) return {};
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) return dlerror();
  // cuDNN makes a plan for every length of the keys, which is one for every token that is written: some 0.4 s each on
  // Hopper (pytorch issue 155958). The other fused kernels need none.
  at::globalContext().setSDPUseCuDNN(false);
  return {};
}

}  // namespace lathe
