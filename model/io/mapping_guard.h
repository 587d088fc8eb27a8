#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <span>

namespace lathe {

/// Watches over a mapped file: when someone cuts it, touching the lost pages raises SIGBUS, which would end the
/// program. The first call installs a handler that puts zeros in their place and remembers the loss for
/// check_unchanged; a SIGBUS elsewhere goes where it went before. Only the first 16384 mappings alive are watched.
void watch_mapping(std::span<const std::byte> bytes, const std::filesystem::path& path, const struct stat& facts);

/// Before the mapping is taken down. Must not run while others read it.
void forget_mapping(std::span<const std::byte> bytes) noexcept;

/// Throws Error if pages of the mapped file that `bytes` lie in were lost: call it after reading them. Costs one load
/// while nothing was lost.
void check_not_lost(std::span<const std::byte> bytes);

/// As check_not_lost, and looks at the file (one system call): written to in place since it was mapped, it is neither
/// the old one nor the new one. A file that was replaced by renaming another over it is still whole.
void check_unchanged(std::span<const std::byte> bytes);

}  // namespace lathe
