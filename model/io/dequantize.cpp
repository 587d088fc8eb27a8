#include "model/io/dequantize.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "model/data/error.h"
#include "model/io/dequantize_kernels.h"

namespace lathe {

namespace {

using Byte = std::uint8_t;

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
    case QuantType::Q2_K:
      return from_q2_k(in, out, blocks);
    case QuantType::Q3_K:
      return from_q3_k(in, out, blocks);
    case QuantType::Q8_K:
      return from_q8_k(in, out, blocks);
    case QuantType::IQ4_NL:
      return from_iq4_nl(in, out, blocks);
    case QuantType::IQ4_XS:
      return from_iq4_xs(in, out, blocks);
    case QuantType::TQ1_0:
      return from_tq1_0(in, out, blocks);
    case QuantType::TQ2_0:
      return from_tq2_0(in, out, blocks);
    case QuantType::MXFP4:
      return from_mxfp4(in, out, blocks);
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
