#include "app/devices.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <mutex>
#include <sstream>

#include "model/cuda/load.h"
#include "model/data/error.h"

namespace lathe {
namespace {

constexpr std::int64_t kCpu = -1;  // where an index of a GPU is expected

std::string why_no_gpu;  // although there is one

bool has_cpu_flag(const std::string& flags, const std::string& flag) {
  return (flags + ' ').find(' ' + flag + ' ') != std::string::npos;
}

/// The value after ':' of the first line of /proc/cpuinfo that starts with `key`.
std::string cpu_info(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return line.substr(std::min(line.size(), line.find(':') + 1));
  }
  return {};
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string::npos ? std::string() : text.substr(first);
}

DeviceInfo cpu_device() {
  const std::string flags = cpu_info("flags");
  std::string description = trimmed(cpu_info("model name"));
  if (description.empty()) description = "CPU";
  description += text(", ", at::get_num_threads(), " threads");
  if (has_cpu_flag(flags, "avx512f")) description += ", AVX-512";
  if (has_cpu_flag(flags, "amx_bf16")) description += ", AMX bf16";
  const auto memory = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  return {.name = "cpu", .description = description, .memory_bytes = memory, .dtypes = {"f32", "bf16"}};
}

/// The number after `key` in a file of lines "key number"; with an empty key the file is the number. Nothing if there
/// is none ("max").
std::optional<std::int64_t> number_in(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    std::istringstream rest(line.substr(key.size()));
    std::int64_t number = 0;
    if (rest >> number) return number;
    return std::nullopt;
  }
  return std::nullopt;
}

/// What the control group of this process may still take; pages of files can be given back. Source: the kernel's
/// cgroup-v2.rst.
std::int64_t free_in_group() {
  const std::string group = "/sys/fs/cgroup/";
  const auto limit = number_in(group + "memory.max", "");
  const auto used = number_in(group + "memory.current", "");
  if (!limit || !used) return std::numeric_limits<std::int64_t>::max();
  return *limit - *used + number_in(group + "memory.stat", "inactive_file ").value_or(0);
}

std::int64_t num_gpus() {
  if (!at::hasCUDA()) return 0;
  return static_cast<std::int64_t>(at::detail::getCUDAHooks().deviceCount());
}

std::string gpu_name(std::int64_t index) {
  // The driver names its GPUs here; no CUDA header is needed for it.
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", ignored)) {
    if (index-- > 0) continue;
    std::ifstream file(entry.path() / "information");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("Model:")) return trimmed(line.substr(line.find_first_not_of(" \t", 6)));
    }
  }
  return "NVIDIA GPU";
}

std::string known_devices() {
  std::string names;
  for (const DeviceInfo& device : list_devices()) names += (names.empty() ? "" : ", ") + device.name;
  return names;
}

}  // namespace

void load_gpu() {
  static std::once_flag loaded;
  std::call_once(loaded, [] {
    why_no_gpu = load_cuda();
    if (!why_no_gpu.empty()) std::fprintf(stderr, "lathe: the GPU cannot be used: %s\n", why_no_gpu.c_str());
  });
}

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> devices{cpu_device()};
  for (std::int64_t i = 0; i < num_gpus(); ++i) {
    const auto memory = c10::getDeviceAllocator(at::kCUDA)->getMemoryInfo(static_cast<c10::DeviceIndex>(i));
    devices.push_back({.name = text("cuda:", i),
                       .description = gpu_name(i),
                       .memory_bytes = static_cast<std::int64_t>(memory.second),
                       .dtypes = {"f32", "bf16", "f16"}});
  }
  return devices;
}

std::optional<std::int64_t> device_request(const std::string& name) {
  if (name == "auto") return std::nullopt;
  if (name == "cpu") return kCpu;
  if (name == "cuda") return 0;
  std::int64_t index = -1;
  if (name.starts_with("cuda:")) {
    const auto [end, error] = std::from_chars(name.data() + 5, name.data() + name.size(), index);
    if (error != std::errc() || end != name.data() + name.size()) index = -1;
  }
  check(index >= 0, "device '", name, "' is not known; expected auto, cpu, cuda or cuda:N");
  return index;
}

at::Device choose_device(const std::string& name) {
  const std::int64_t index = device_request(name).value_or(num_gpus() > 0 ? 0 : kCpu);
  if (index == kCpu) return at::kCPU;
  check(index < num_gpus(), "device '", name, "' is not there; got ", num_gpus(),
        " usable GPUs; here there is: ", known_devices(), why_no_gpu.empty() ? "" : "; ", why_no_gpu);
  return {at::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

at::ScalarType choose_dtype(const std::string& name, at::Device device) {
  if (name == "auto") return device.is_cuda() ? at::kBFloat16 : at::kFloat;
  if (name == "f32") return at::kFloat;
  if (name == "bf16") return at::kBFloat16;
  check(name == "f16", "dtype '", name, "' is not known; expected auto, f32, bf16 or f16");
  check(device.is_cuda(), "dtype 'f16' needs a GPU; on the CPU use f32 or bf16");
  return at::kHalf;
}

std::string dtype_name(at::ScalarType dtype) {
  if (dtype == at::kFloat) return "f32";
  return dtype == at::kBFloat16 ? "bf16" : "f16";
}

std::string describe(at::Device device) {
  return device.is_cuda() ? device.str() + " " + gpu_name(device.index()) : "cpu";
}

std::int64_t free_memory(at::Device device) {
  if (device.is_cuda()) {
    return static_cast<std::int64_t>(c10::getDeviceAllocator(at::kCUDA)->getMemoryInfo(device.index()).first);
  }
  const auto kilobytes = number_in("/proc/meminfo", "MemAvailable:");
  const std::int64_t machine = kilobytes ? *kilobytes * 1024 : std::numeric_limits<std::int64_t>::max();
  return std::max<std::int64_t>(0, std::min(machine, free_in_group()));
}

std::int64_t host_memory_used() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total_pages = 0;
  std::int64_t resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * sysconf(_SC_PAGE_SIZE);
}

std::int64_t device_memory_used(at::Device device) {
  if (!device.is_cuda()) return 0;
  const auto stats = c10::getDeviceAllocator(at::kCUDA)->getDeviceStats(device.index());
  return stats.reserved_bytes[0].current;
}

std::int64_t device_memory_peak(at::Device device) {
  if (!device.is_cuda()) return 0;
  return c10::getDeviceAllocator(at::kCUDA)->getDeviceStats(device.index()).allocated_bytes[0].peak;
}

void reset_device_memory_peak(at::Device device) {
  if (device.is_cuda()) c10::getDeviceAllocator(at::kCUDA)->resetPeakStats(device.index());
}

}  // namespace lathe
