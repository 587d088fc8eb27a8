#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lathe {

/// A place to compute on.
struct DeviceInfo {
  std::string name;         ///< as --device takes it: "cpu", "cuda:0"
  std::string description;  ///< "Intel Xeon, 2 threads, AVX-512, AMX bf16", "NVIDIA H200"
  std::int64_t memory_bytes = 0;
  std::vector<std::string> dtypes;  ///< as --dtype takes them
};

/// Makes the GPUs usable that are there. Call on a worker's thread, before the first
/// tensor; further calls, from any thread, wait for the first. If their libraries
/// do not load, it says why on stderr, and so does choose_device() when a GPU is asked for.
void load_gpu();

/// The CPU first, then each GPU.
std::vector<DeviceInfo> list_devices();

/// What a name like auto | cpu | cuda | cuda:N asks for: -1 the CPU, else the index of a GPU; nothing is "auto".
/// Throws Error if the name is not one of these, whatever is there.
std::optional<std::int64_t> device_request(const std::string& name);

/// The device of that name. "auto" is the first GPU if there is one. Throws Error that lists what there is.
at::Device choose_device(const std::string& name);

/// auto | f32 | bf16 | f16. "auto" is f32 on the CPU and bf16 on a GPU. Throws Error if the device cannot.
at::ScalarType choose_dtype(const std::string& name, at::Device device);

/// "f32", "bf16", "f16".
std::string dtype_name(at::ScalarType dtype);

/// "cpu", "cuda:0 NVIDIA H200": what the status bar shows.
std::string describe(at::Device device);

/// Bytes that can still be allocated there: of the GPU, or of the machine and the group of processes that this one is
/// limited with (cgroup v2), whichever is less.
std::int64_t free_memory(at::Device device);

/// Bytes this process holds in memory now (resident set), and on the device (0 for the CPU).
std::int64_t host_memory_used();
std::int64_t device_memory_used(at::Device device);

/// Most bytes that tensors have had on a GPU at one time since the last reset; 0 for the CPU.
std::int64_t device_memory_peak(at::Device device);
void reset_device_memory_peak(at::Device device);

}  // namespace lathe
