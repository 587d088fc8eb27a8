#include "model/io/dequantize_kernels.h"

// Types whose blocks hold 32 values.

namespace lathe {

namespace {

using Byte = std::uint8_t;

}  // namespace

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

LATHE_FOR_EACH_CPU void from_iq4_nl(const Byte* in, float* out, std::size_t blocks) {
  for (; blocks > 0; --blocks, in += 18, out += 32) {
    const float d = half_at(in);
    for (int j = 0; j < 16; ++j) out[j] = d * static_cast<float>(kIq4Values[in[2 + j] & 15]);
    for (int j = 0; j < 16; ++j) out[j + 16] = d * static_cast<float>(kIq4Values[in[2 + j] >> 4]);
  }
}

LATHE_FOR_EACH_CPU void from_mxfp4(const Byte* in, float* out, std::size_t blocks) {
  // Twice the values of the OCP microscaling format's E2M1, and half of its scale.
  constexpr std::int8_t kValues[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  for (; blocks > 0; --blocks, in += 17, out += 32) {
    const std::uint32_t exponent = in[0];
    const float d = std::bit_cast<float>(exponent < 2 ? 0x00200000U << exponent : (exponent - 1) << 23);
    for (int j = 0; j < 16; ++j) out[j] = d * static_cast<float>(kValues[in[1 + j] & 15]);
    for (int j = 0; j < 16; ++j) out[j + 16] = d * static_cast<float>(kValues[in[1 + j] >> 4]);
  }
}

}  // namespace lathe
