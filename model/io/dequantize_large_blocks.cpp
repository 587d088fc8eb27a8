#include "model/io/dequantize_kernels.h"

// Types whose blocks hold 256 values. Most consist of sub-blocks: run s of 16 or 32 values has a scale of its own.

namespace lathe {

namespace {

using Byte = std::uint8_t;

/// The 6-bit scale and minimum of sub-block `s` of a Q4_K or Q5_K block, packed in 12 bytes.
struct SubScale {
  int scale;
  int minimum;
};

inline SubScale sub_scale(const Byte* packed, int s) {
  if (s < 4) return {packed[s] & 63, packed[s + 4] & 63};
  return {(packed[s + 4] & 15) | ((packed[s - 4] >> 6) << 4), (packed[s + 4] >> 4) | ((packed[s] >> 6) << 4)};
}

/// The 6-bit scale of sub-block `s` of a Q3_K block: 16 of them packed in 12 bytes.
inline int q3_scale(const Byte* packed, int s) {
  const int low = s < 8 ? packed[s] & 15 : packed[s - 8] >> 4;
  return (low | ((packed[8 + s % 4] >> (2 * (s / 4)) & 3) << 4)) - 32;
}

/// The trit that is number `power` of those packed in a byte of TQ1_0. Source: ggml-quants.c, dequantize_row_tq1_0.
inline float trit(Byte packed, int power) {
  constexpr int kPowers[5] = {1, 3, 9, 27, 81};
  const int digit = static_cast<Byte>(packed * kPowers[power]);
  return static_cast<float>((digit * 3 >> 8) - 1);
}

}  // namespace

LATHE_FOR_EACH_CPU void from_q2_k(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 84, out += 256) {
    const float d = half_at(in + 80);
    const float d_minimum = half_at(in + 82);
    for (int s = 0; s < 16; ++s) {
      const float scale = d * static_cast<float>(in[s] & 15);
      const float minimum = d_minimum * static_cast<float>(in[s] >> 4);
      const Byte* quants = in + 16 + 32 * (s / 8) + 16 * (s % 2);
      const int shift = s / 2 % 4 * 2;
      for (int l = 0; l < 16; ++l) {
        out[16 * s + l] = scale * static_cast<float>((quants[l] >> shift) & 3) - minimum;
      }
    }
  }
}

LATHE_FOR_EACH_CPU void from_q3_k(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 110, out += 256) {
    const float d = half_at(in + 108);
    for (int s = 0; s < 16; ++s) {
      const float scale = d * static_cast<float>(q3_scale(in + 96, s));
      const Byte* high = in + 16 * (s % 2);
      const Byte* quants = in + 32 + 32 * (s / 8) + 16 * (s % 2);
      const int shift = s / 2 % 4 * 2;
      for (int l = 0; l < 16; ++l) {
        const int quant = ((quants[l] >> shift) & 3) - (high[l] >> (s / 2) & 1 ? 0 : 4);
        out[16 * s + l] = scale * static_cast<float>(quant);
      }
    }
  }
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

LATHE_FOR_EACH_CPU void from_q8_k(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 292, out += 256) {
    const auto d = load<float>(in);
    for (int j = 0; j < 256; ++j) out[j] = d * static_cast<float>(static_cast<std::int8_t>(in[4 + j]));
  }
}

LATHE_FOR_EACH_CPU void from_iq4_xs(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 136, out += 256) {
    const float d = half_at(in);
    const auto high = load<std::uint16_t>(in + 2);
    for (int s = 0; s < 8; ++s) {
      const int low = in[4 + s / 2] >> (4 * (s % 2)) & 15;
      const float scale = d * static_cast<float>((low | ((high >> (2 * s) & 3) << 4)) - 32);
      const Byte* quants = in + 8 + 16 * s;
      for (int l = 0; l < 16; ++l) out[32 * s + l] = scale * static_cast<float>(kIq4Values[quants[l] & 15]);
      for (int l = 0; l < 16; ++l) out[32 * s + 16 + l] = scale * static_cast<float>(kIq4Values[quants[l] >> 4]);
    }
  }
}

LATHE_FOR_EACH_CPU void from_tq1_0(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 54, out += 256) {
    const float d = half_at(in + 52);
    for (int n = 0; n < 5; ++n) {
      for (int l = 0; l < 32; ++l) out[32 * n + l] = d * trit(in[l], n);
      for (int l = 0; l < 16; ++l) out[160 + 16 * n + l] = d * trit(in[32 + l], n);
    }
    for (int n = 0; n < 4; ++n) {
      for (int l = 0; l < 4; ++l) out[240 + 4 * n + l] = d * trit(in[48 + l], n);
    }
  }
}

LATHE_FOR_EACH_CPU void from_tq2_0(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 66, out += 256) {
    const float d = half_at(in + 64);
    for (int s = 0; s < 8; ++s) {
      const Byte* quants = in + 32 * (s / 4);
      const int shift = s % 4 * 2;
      for (int l = 0; l < 32; ++l) out[32 * s + l] = d * static_cast<float>((quants[l] >> shift & 3) - 1);
    }
  }
}

}  // namespace lathe
