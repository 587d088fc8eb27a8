#pragma once

#include <string>

namespace lathe {

/// Makes CUDA's operators available if there is an NVIDIA driver. Call before the first use of a GPU, on the thread
/// that will use it; it takes about a second, which is why the program does not link them. Returns why they cannot be
/// had although a driver is there; empty if all is well or there is no GPU.
std::string load_cuda();

}  // namespace lathe
