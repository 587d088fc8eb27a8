#pragma once

#include <array>
#include <cstdint>

namespace lathe {

/// Philox4x32-10: four random words that depend on `counter` and `key` alone, so that the same seed draws the same
/// numbers on every platform, whatever was drawn elsewhere.
/// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// The `draw`-th number of the stream `seed`: uniform in [0, 1), 53 random bits.
double uniform(std::uint64_t seed, std::uint64_t draw);

}  // namespace lathe
