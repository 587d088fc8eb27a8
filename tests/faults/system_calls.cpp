#include "tests/faults/system_calls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <random>

namespace lathe {

namespace {

CallWatch* watch = nullptr;

std::string path_of(int descriptor) {
  if (watch == nullptr) return {};
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const long size = ::syscall(SYS_readlink, link.c_str(), path.data(), path.size());
  return {path.data(), static_cast<std::size_t>(size < 0 ? 0 : size)};
}

std::size_t some_of(std::size_t size) {
  static std::mt19937 random(11);
  return random() % (size + 1);
}

}  // namespace

bool exchange_is_missing = false;

CallWatch::CallWatch(Fault fault) : fault_(fault) { watch = this; }
CallWatch::~CallWatch() { watch = nullptr; }

struct Calls {
  static bool kills_next() {
    return watch != nullptr && watch->fault_.kind == Fault::Kind::Kill &&
           watch->fault_.at_call == static_cast<int>(watch->calls_.size()) + 1;
  }

  /// Makes the call, unless the fault is its turn.
  template <typename Make>
  static long counted(SystemCall call, Make make) {
    if (watch == nullptr) return make();
    if (kills_next()) ::raise(SIGKILL);
    watch->calls_.push_back(std::move(call));
    const Fault& fault = watch->fault_;
    if (fault.kind == Fault::Kind::Fail && fault.at_call == static_cast<int>(watch->calls_.size())) {
      watch->calls_.back().failed = true;
      errno = fault.reason;
      return -1;
    }
    return make();
  }
};

}  // namespace lathe

using lathe::Calls;
using lathe::path_of;
using lathe::watch;

extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  const char* name = (flags & O_CREAT) != 0 ? "create" : "open";
  return static_cast<int>(
      Calls::counted({name, path}, [&] { return ::syscall(SYS_openat, AT_FDCWD, path, flags, mode); }));
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  if (Calls::kills_next()) ::syscall(SYS_write, descriptor, bytes, lathe::some_of(size));
  return Calls::counted({"write", path_of(descriptor)}, [&] { return ::syscall(SYS_write, descriptor, bytes, size); });
}

int fsync(int descriptor) {
  return static_cast<int>(Calls::counted({"fsync", path_of(descriptor)},
                                         [&] { return watch == nullptr ? ::syscall(SYS_fsync, descriptor) : 0L; }));
}

int ftruncate(int descriptor, off_t size) noexcept {
  return static_cast<int>(
      Calls::counted({"ftruncate", path_of(descriptor)}, [&] { return ::syscall(SYS_ftruncate, descriptor, size); }));
}

int fallocate(int descriptor, int mode, off_t offset, off_t size) {
  return static_cast<int>(Calls::counted({"fallocate", path_of(descriptor)},
                                         [&] { return ::syscall(SYS_fallocate, descriptor, mode, offset, size); }));
}

int fchmod(int descriptor, mode_t mode) noexcept {
  return static_cast<int>(
      Calls::counted({"fchmod", path_of(descriptor)}, [&] { return ::syscall(SYS_fchmod, descriptor, mode); }));
}

int rename(const char* from, const char* to) noexcept {
  return static_cast<int>(Calls::counted({"rename", from, to}, [&] { return ::syscall(SYS_rename, from, to); }));
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  if (lathe::exchange_is_missing) {
    errno = EINVAL;
    return -1;
  }
  return static_cast<int>(Calls::counted(
      {"rename", from, to}, [&] { return ::syscall(SYS_renameat2, from_folder, from, to_folder, to, flags); }));
}

int mkdir(const char* path, mode_t mode) noexcept {
  return static_cast<int>(Calls::counted({"mkdir", path}, [&] { return ::syscall(SYS_mkdir, path, mode); }));
}

int unlink(const char* path) noexcept {
  return static_cast<int>(Calls::counted({"unlink", path}, [&] { return ::syscall(SYS_unlink, path); }));
}

int unlinkat(int folder, const char* path, int flags) noexcept {
  return static_cast<int>(
      Calls::counted({"unlink", path}, [&] { return ::syscall(SYS_unlinkat, folder, path, flags); }));
}

int close(int descriptor) {
  const std::string path = path_of(descriptor);
  const long closed = ::syscall(SYS_close, descriptor);  // a close that fails has closed all the same
  return static_cast<int>(Calls::counted({"close", path}, [&] { return closed; }));
}
}
