#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

// Each kernel is compiled for three generations of processors and the best is chosen when the program starts. The
// values must not depend on which: products are rounded before they are added (the build turns contraction off for
// these files).
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__)
#define LATHE_FOR_EACH_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LATHE_FOR_EACH_CPU
#endif

namespace lathe {

template <typename T>
inline T load(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// IEEE half to single, exact, without branches so that loops over it become vector code.
inline float f32_from_f16(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16;
  const std::uint32_t magnitude = half & 0x7FFFU;
  const std::uint32_t normal = (magnitude << 13) + (112U << 23);
  const std::uint32_t special = normal + (112U << 23);  // infinities and NaN have the largest exponent in both
  const auto subnormal =
      std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24F);
  const std::uint32_t bits = magnitude < 0x0400U ? subnormal : magnitude >= 0x7C00U ? special : normal;
  return std::bit_cast<float>(bits | sign);
}

inline float half_at(const std::uint8_t* at) { return f32_from_f16(load<std::uint16_t>(at)); }

// Each writes the values of `blocks` blocks that lie one after another at `in`.
// Block layouts: ggml src/ggml-common.h; formulas: ggml src/ggml-quants.c (dequantize_row_*).

void from_q4_0(const std::uint8_t* in, float* out, std::size_t blocks);
void from_q4_1(const std::uint8_t* in, float* out, std::size_t blocks);
void from_q5_0(const std::uint8_t* in, float* out, std::size_t blocks);
void from_q5_1(const std::uint8_t* in, float* out, std::size_t blocks);
void from_q8_0(const std::uint8_t* in, float* out, std::size_t blocks);
void from_iq4_nl(const std::uint8_t* in, float* out, std::size_t blocks);
void from_mxfp4(const std::uint8_t* in, float* out, std::size_t blocks);

void from_q2_k(const std::uint8_t* in, float* out, std::size_t blocks);
void from_q3_k(const std::uint8_t* in, float* out, std::size_t blocks);
void from_q4_k(const std::uint8_t* in, float* out, std::size_t blocks);
void from_q5_k(const std::uint8_t* in, float* out, std::size_t blocks);
void from_q6_k(const std::uint8_t* in, float* out, std::size_t blocks);
void from_q8_k(const std::uint8_t* in, float* out, std::size_t blocks);
void from_iq4_xs(const std::uint8_t* in, float* out, std::size_t blocks);
void from_tq1_0(const std::uint8_t* in, float* out, std::size_t blocks);
void from_tq2_0(const std::uint8_t* in, float* out, std::size_t blocks);

/// What the 16 codes of IQ4_NL and IQ4_XS stand for. Source: ggml-common.h, kvalues_iq4nl.
inline constexpr std::int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

}  // namespace lathe
