#include "model/io/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "model/data/error.h"
#include "model/io/dequantize.h"

namespace lathe {

namespace {

constexpr std::size_t kBlock = 32;  // values of a block of Q8_0 and Q4_0

/// To nearest even. Adding a power of two that is 2^13 times the last kept bit does the rounding for subnormals.
std::uint16_t f16_from_f32(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  std::uint32_t half = 0;
  if (magnitude > 0x7F800000U) {
    half = 0x7E00U | (magnitude >> 13 & 0x3FFU);  // NaN
  } else if (magnitude >= 0x47800000U) {
    half = 0x7C00U;  // 65536 and more
  } else if (magnitude < 0x38800000U) {
    const float sum = std::bit_cast<float>(magnitude) + 0.5F;  // the last bit of 0.5 is that of the smallest half
    half = std::bit_cast<std::uint32_t>(sum) - std::bit_cast<std::uint32_t>(0.5F);
  } else {
    half = (magnitude - (112U << 23) + 0xFFFU + (magnitude >> 13 & 1U)) >> 13;
  }
  return static_cast<std::uint16_t>(sign | half);
}

void put(std::byte* at, std::uint16_t value) { std::memcpy(at, &value, sizeof value); }

void to_f16(std::span<const float> values, std::byte* out) {
  for (std::size_t i = 0; i < values.size(); ++i) put(out + 2 * i, f16_from_f32(values[i]));
}

void to_bf16(std::span<const float> values, std::byte* out) {
  std::vector<std::uint16_t> rounded(values.size());
  bf16_from_f32(values, rounded);
  std::memcpy(out, rounded.data(), 2 * rounded.size());
}

/// A NaN or an infinity among the values leaves the block without a meaning, as it does in ggml.
std::uint8_t low_byte(float value) {
  return std::isfinite(value) ? static_cast<std::uint8_t>(static_cast<std::int32_t>(value)) : std::uint8_t{0};
}

void to_q8_0(std::span<const float> values, std::byte* out) {
  for (std::size_t first = 0; first < values.size(); first += kBlock, out += 34) {
    const auto block = values.subspan(first, kBlock);
    float largest = 0.0F;
    for (const float value : block) largest = std::max(largest, std::abs(value));
    const float d = largest / 127.0F;
    const float inverse = d == 0.0F ? 0.0F : 1.0F / d;
    put(out, f16_from_f32(d));
    for (std::size_t j = 0; j < kBlock; ++j) out[2 + j] = std::byte{low_byte(std::round(block[j] * inverse))};
  }
}

void to_q4_0(std::span<const float> values, std::byte* out) {
  for (std::size_t first = 0; first < values.size(); first += kBlock, out += 18) {
    const auto block = values.subspan(first, kBlock);
    float extreme = 0.0F;  // of largest magnitude, with its sign; the first of equals
    for (const float value : block) {
      if (std::abs(value) > std::abs(extreme)) extreme = value;
    }
    const float d = extreme / -8.0F;
    const float inverse = d == 0.0F ? 0.0F : 1.0F / d;
    const auto code = [&](float value) { return std::min<std::uint8_t>(15, low_byte(value * inverse + 8.5F)); };
    put(out, f16_from_f32(d));
    for (std::size_t j = 0; j < 16; ++j) {
      out[2 + j] = std::byte{static_cast<std::uint8_t>(code(block[j]) | code(block[j + 16]) << 4)};
    }
  }
}

}  // namespace

bool can_quantize(StoredType type) {
  return type == StoredType(DType::F32) || type == StoredType(DType::F16) || type == StoredType(DType::BF16) ||
         type == StoredType(QuantType::Q8_0) || type == StoredType(QuantType::Q4_0);
}

std::vector<std::byte> quantize(StoredType type, std::span<const float> values) {
  const BlockSize block = block_size(type);
  if (!can_quantize(type) || values.size() % static_cast<std::size_t>(block.values) != 0) {
    throw Error({.code = ErrorCode::Dtype,
                 .what = "values cannot be stored as this type",
                 .where = "the writer",
                 .got = text(values.size(), " values as ", type_name(type)),
                 .expected = "whole blocks of F32, F16, BF16, Q8_0 or Q4_0",
                 .hint = "choose another type"});
  }
  std::vector<std::byte> bytes(values.size() / static_cast<std::size_t>(block.values) *
                               static_cast<std::size_t>(block.bytes));
  if (type == StoredType(DType::F32)) std::memcpy(bytes.data(), values.data(), values.size_bytes());
  if (type == StoredType(DType::F16)) to_f16(values, bytes.data());
  if (type == StoredType(DType::BF16)) to_bf16(values, bytes.data());
  if (type == StoredType(QuantType::Q8_0)) to_q8_0(values, bytes.data());
  if (type == StoredType(QuantType::Q4_0)) to_q4_0(values, bytes.data());
  return bytes;
}

}  // namespace lathe
