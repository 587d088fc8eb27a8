#include "model/io/mapping_guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>

#include "model/data/error.h"

namespace lathe {

namespace {

/// A mapping under watch. Free while `begin` is 0; the handler reads only the atomics.
struct Watched {
  std::atomic<std::uintptr_t> begin = 0;
  std::atomic<std::size_t> size = 0;
  std::atomic<bool> lost = false;
  std::unique_ptr<const std::string> path{};  // not a string: all of the array is zero at the start
  struct stat facts {};
};

constexpr std::size_t kMaxWatched = 16384;
constexpr std::uintptr_t kBeingFilled = 1;

std::array<Watched, kMaxWatched> watched;
std::atomic<std::size_t> num_used = 0;  // none beyond it was ever used
std::atomic<bool> any_lost = false;
struct sigaction earlier {};

std::uintptr_t address_of(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

Watched* find(std::uintptr_t address) {
  for (std::size_t i = 0; i < num_used; ++i) {
    const std::uintptr_t begin = watched[i].begin;
    if (begin > kBeingFilled && begin <= address && address - begin < watched[i].size) return &watched[i];
  }
  return nullptr;
}

/// Puts zeros where the file's pages are gone. Only atomics and system calls: this is a signal handler.
void on_bus_error(int /*signal*/, siginfo_t* info, void* /*context*/) {
  const std::uintptr_t fault = address_of(info->si_addr);
  Watched* mapping = find(fault);
  if (mapping == nullptr) {
    ::sigaction(SIGBUS, &earlier, nullptr);
    if (info->si_code <= 0) ::raise(SIGBUS);  // sent by a program; a fault comes again by itself
    return;
  }
  // First the mark, then the zeros: no thread can see zeros without the mark.
  mapping->lost = true;
  any_lost = true;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t first = fault / page * page;
  const std::size_t rest = mapping->begin + mapping->size - first;
  ::mmap(reinterpret_cast<void*>(first), rest, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

void install_handler() {
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    return ::sigaction(SIGBUS, &action, &earlier) == 0;
  }();
  static_cast<void>(installed);
}

[[noreturn]] void refuse(const Watched& mapping, std::string got) {
  throw Error({.code = ErrorCode::Io,
               .what = "the file was changed while it was being read",
               .where = *mapping.path,
               .got = std::move(got),
               .expected = text("the ", mapping.size.load(), " bytes that were opened"),
               .hint = "wait until whatever writes it is done, then open it again"});
}

bool same_time(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

}  // namespace

void watch_mapping(std::span<const std::byte> bytes, const std::filesystem::path& path, const struct stat& facts) {
  install_handler();
  for (std::size_t i = 0; i < kMaxWatched; ++i) {
    std::uintptr_t free = 0;
    if (!watched[i].begin.compare_exchange_strong(free, kBeingFilled)) continue;
    watched[i].size = bytes.size();
    watched[i].lost = false;
    watched[i].path = std::make_unique<const std::string>(path.string());
    watched[i].facts = facts;
    watched[i].begin = address_of(bytes.data());
    for (std::size_t used = num_used; used <= i && !num_used.compare_exchange_weak(used, i + 1);) {
    }
    return;
  }
}

void forget_mapping(std::span<const std::byte> bytes) noexcept {
  if (Watched* mapping = find(address_of(bytes.data()))) mapping->begin = 0;
}

void check_not_lost(std::span<const std::byte> bytes) {
  if (!any_lost || bytes.empty()) return;
  const Watched* mapping = find(address_of(bytes.data()));
  if (mapping != nullptr && mapping->lost) refuse(*mapping, "a file that was cut");
}

void check_unchanged(std::span<const std::byte> bytes) {
  check_not_lost(bytes);
  const Watched* mapping = bytes.empty() ? nullptr : find(address_of(bytes.data()));
  struct stat now {};
  if (mapping == nullptr || ::stat(mapping->path->c_str(), &now) != 0) return;
  const struct stat& then = mapping->facts;
  if (now.st_dev != then.st_dev || now.st_ino != then.st_ino) return;
  if (now.st_size != then.st_size) refuse(*mapping, text(now.st_size, " bytes"));
  if (!same_time(now.st_mtim, then.st_mtim)) refuse(*mapping, "a file that was written to");
}

}  // namespace lathe
