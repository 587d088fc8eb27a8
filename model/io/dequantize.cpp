#include "model/io/dequantize.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "model/data/error.h"

// Each kernel is compiled for three generations of processors and the best is chosen when the program starts. The
// values must not depend on which: products are rounded before they are added (the build turns contraction off for this
// file).
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__)
#define LATHE_FOR_EACH_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LATHE_FOR_EACH_CPU
#endif

namespace lathe {

namespace {

using Byte = std::uint8_t;

template <typename T>
inline T load(const Byte* at) {
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

inline float half_at(const Byte* at) { return f32_from_f16(load<std::uint16_t>(at)); }

/// 8-bit floats with `kMantissaBits`; E4M3 has no infinities, its NaN is the largest magnitude.
/// Source: "FP8 formats for deep learning", arXiv:2209.05433, table 1.
template <int kMantissaBits>
float f32_from_f8(Byte bits) {
  constexpr int kExponentBits = 7 - kMantissaBits;
  constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  const int magnitude = bits & 0x7F;
  const int exponent = magnitude >> kMantissaBits;
  const int mantissa = magnitude & ((1 << kMantissaBits) - 1);
  const float sign = (bits & 0x80) ? -1.0F : 1.0F;
  if (kMantissaBits == 3 && magnitude == 0x7F) return std::copysign(NAN, sign);
  if (kMantissaBits == 2 && exponent == 31) return mantissa ? std::copysign(NAN, sign) : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), 1 - kBias - kMantissaBits);
  return sign * std::ldexp(static_cast<float>(mantissa + (1 << kMantissaBits)), exponent - kBias - kMantissaBits);
}

template <int kMantissaBits>
void from_f8(const Byte* in, std::span<float> out) {
  static const auto table = [] {
    std::array<float, 256> values{};
    for (unsigned i = 0; i < values.size(); ++i) values.at(i) = f32_from_f8<kMantissaBits>(static_cast<Byte>(i));
    return values;
  }();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = table[in[i]];
}

LATHE_FOR_EACH_CPU void from_f16(const Byte* in, float* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = half_at(in + 2 * i);
}

LATHE_FOR_EACH_CPU void from_bf16(const Byte* in, float* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(in + 2 * i)) << 16);
  }
}

template <typename T>
void from_plain(const Byte* in, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(load<T>(in + sizeof(T) * i));
}

void from_bool(const Byte* in, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = in[i] ? 1.0F : 0.0F;
}

// Block layouts: ggml src/ggml-common.h; formulas: ggml src/ggml-quants.c (dequantize_row_*).

LATHE_FOR_EACH_CPU void from_q4_0(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 18, out += 32) {
    const float d = half_at(in);
    for (int j = 0; j < 16; ++j) out[j] = static_cast<float>((in[2 + j] & 15) - 8) * d;
    for (int j = 0; j < 16; ++j) out[j + 16] = static_cast<float>((in[2 + j] >> 4) - 8) * d;
  }
}

LATHE_FOR_EACH_CPU void from_q4_1(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 20, out += 32) {
    const float d = half_at(in);
    const float m = half_at(in + 2);
    for (int j = 0; j < 16; ++j) out[j] = static_cast<float>(in[4 + j] & 15) * d + m;
    for (int j = 0; j < 16; ++j) out[j + 16] = static_cast<float>(in[4 + j] >> 4) * d + m;
  }
}

LATHE_FOR_EACH_CPU void from_q5_0(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 22, out += 32) {
    const float d = half_at(in);
    const auto high = load<std::uint32_t>(in + 2);
    for (int j = 0; j < 16; ++j) {
      out[j] = static_cast<float>(static_cast<int>((in[6 + j] & 15U) | ((high >> j & 1U) << 4)) - 16) * d;
    }
    for (int j = 0; j < 16; ++j) {
      out[j + 16] = static_cast<float>(static_cast<int>((in[6 + j] >> 4U) | ((high >> (j + 16) & 1U) << 4)) - 16) * d;
    }
  }
}

LATHE_FOR_EACH_CPU void from_q5_1(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 24, out += 32) {
    const float d = half_at(in);
    const float m = half_at(in + 2);
    const auto high = load<std::uint32_t>(in + 4);
    for (int j = 0; j < 16; ++j) {
      out[j] = static_cast<float>(static_cast<int>((in[8 + j] & 15U) | ((high >> j & 1U) << 4))) * d + m;
    }
    for (int j = 0; j < 16; ++j) {
      out[j + 16] = static_cast<float>(static_cast<int>((in[8 + j] >> 4U) | ((high >> (j + 16) & 1U) << 4))) * d + m;
    }
  }
}

LATHE_FOR_EACH_CPU void from_q8_0(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 34, out += 32) {
    const float d = half_at(in);
    for (int j = 0; j < 32; ++j) out[j] = static_cast<float>(static_cast<std::int8_t>(in[2 + j])) * d;
  }
}

/// The 6-bit scale and minimum of sub-block `s` of a Q4_K or Q5_K block, packed in 12 bytes.
struct SubScale {
  int scale;
  int minimum;
};

inline SubScale sub_scale(const Byte* packed, int s) {
  if (s < 4) return {packed[s] & 63, packed[s + 4] & 63};
  return {(packed[s + 4] & 15) | ((packed[s - 4] >> 6) << 4), (packed[s + 4] >> 4) | ((packed[s] >> 6) << 4)};
}

LATHE_FOR_EACH_CPU void from_q4_k(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 144, out += 256) {
    const float d = half_at(in);
    const float d_minimum = half_at(in + 2);
    for (int s = 0; s < 8; ++s) {
      const SubScale sub = sub_scale(in + 4, s);
      const float scale = d * static_cast<float>(sub.scale);
      const float minimum = d_minimum * static_cast<float>(sub.minimum);
      const Byte* quants = in + 16 + 32 * (s / 2);
      const int shift = s % 2 ? 4 : 0;
      for (int l = 0; l < 32; ++l) {
        out[32 * s + l] = scale * static_cast<float>((quants[l] >> shift) & 15) - minimum;
      }
    }
  }
}

LATHE_FOR_EACH_CPU void from_q5_k(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 176, out += 256) {
    const float d = half_at(in);
    const float d_minimum = half_at(in + 2);
    for (int s = 0; s < 8; ++s) {
      const SubScale sub = sub_scale(in + 4, s);
      const float scale = d * static_cast<float>(sub.scale);
      const float minimum = d_minimum * static_cast<float>(sub.minimum);
      const Byte* high = in + 16;
      const Byte* quants = in + 48 + 32 * (s / 2);
      const int shift = s % 2 ? 4 : 0;
      for (int l = 0; l < 32; ++l) {
        const int quant = ((quants[l] >> shift) & 15) | ((high[l] >> s & 1) << 4);
        out[32 * s + l] = scale * static_cast<float>(quant) - minimum;
      }
    }
  }
}

LATHE_FOR_EACH_CPU void from_q6_k(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 210, out += 256) {
    const float d = half_at(in + 208);
    // 16 sub-blocks of 16 values: two halves of 128, in each four runs of 32 values.
    for (int s = 0; s < 16; ++s) {
      const int half = s / 8;
      const int run = s / 2 % 4;
      const int first = s % 2 * 16;
      const Byte* low = in + 64 * half + 32 * (run % 2) + first;
      const Byte* high = in + 128 + 32 * half + first;
      const float scale = d * static_cast<float>(static_cast<std::int8_t>(in[192 + s]));
      const int low_shift = run < 2 ? 0 : 4;
      for (int l = 0; l < 16; ++l) {
        const int quant = ((low[l] >> low_shift) & 15) | ((high[l] >> (2 * run) & 3) << 4);
        out[16 * s + l] = scale * static_cast<float>(quant - 32);
      }
    }
  }
}

void dequantize_plain(DType type, const Byte* in, std::span<float> out) {
  switch (type) {
    case DType::F64:
      return from_plain<double>(in, out);
    case DType::F32:
      std::memcpy(out.data(), in, out.size_bytes());
      return;
    case DType::F16:
      return from_f16(in, out.data(), out.size());
    case DType::BF16:
      return from_bf16(in, out.data(), out.size());
    case DType::F8_E4M3:
      return from_f8<3>(in, out);
    case DType::F8_E5M2:
      return from_f8<2>(in, out);
    case DType::I64:
      return from_plain<std::int64_t>(in, out);
    case DType::I32:
      return from_plain<std::int32_t>(in, out);
    case DType::I16:
      return from_plain<std::int16_t>(in, out);
    case DType::I8:
      return from_plain<std::int8_t>(in, out);
    case DType::U64:
      return from_plain<std::uint64_t>(in, out);
    case DType::U32:
      return from_plain<std::uint32_t>(in, out);
    case DType::U16:
      return from_plain<std::uint16_t>(in, out);
    case DType::U8:
      return from_plain<std::uint8_t>(in, out);
    case DType::Bool:
      return from_bool(in, out);
  }
}

void dequantize_blocks(QuantType type, const Byte* in, float* out, std::size_t blocks) {
  switch (type) {
    case QuantType::Q4_0:
      return from_q4_0(in, out, blocks);
    case QuantType::Q4_1:
      return from_q4_1(in, out, blocks);
    case QuantType::Q5_0:
      return from_q5_0(in, out, blocks);
    case QuantType::Q5_1:
      return from_q5_1(in, out, blocks);
    case QuantType::Q8_0:
      return from_q8_0(in, out, blocks);
    case QuantType::Q4_K:
      return from_q4_k(in, out, blocks);
    case QuantType::Q5_K:
      return from_q5_k(in, out, blocks);
    case QuantType::Q6_K:
      return from_q6_k(in, out, blocks);
  }
}

LATHE_FOR_EACH_CPU void round_to_bf16(const float* values, std::uint16_t* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(values[i]);
    const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
    const std::uint32_t quiet_nan = (bits >> 16) | 0x40U;
    out[i] = static_cast<std::uint16_t>((bits & 0x7FFFFFFFU) > 0x7F800000U ? quiet_nan : rounded);
  }
}

}  // namespace

void dequantize(StoredType type, std::span<const std::byte> bytes, std::span<float> out) {
  const BlockSize block = block_size(type);
  const auto block_values = static_cast<std::size_t>(block.values);
  const std::size_t blocks = out.size() / block_values;
  check(out.size() % block_values == 0 && bytes.size() == blocks * static_cast<std::size_t>(block.bytes),
        "[dequantize] ", bytes.size(), " bytes of ", type_name(type), " are not ", out.size(), " values");
  if (out.empty()) return;
  const auto* in = reinterpret_cast<const Byte*>(bytes.data());
  if (const auto* quant = std::get_if<QuantType>(&type)) return dequantize_blocks(*quant, in, out.data(), blocks);
  dequantize_plain(std::get<DType>(type), in, out);
}

void bf16_from_f32(std::span<const float> values, std::span<std::uint16_t> out) {
  check(values.size() == out.size(), "[dequantize] ", values.size(), " values do not fit ", out.size(), " places");
  round_to_bf16(values.data(), out.data(), values.size());
}

}  // namespace lathe
