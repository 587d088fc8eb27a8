#include "model/io/dequantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/data/error.h"
#include "model/io/hash.h"
#include "tests/io/float_matchers.h"
#include "tests/io/reference_python.h"
#include "tests/io/temp_folder.h"
#include "tests/support/places.h"

namespace lathe {
namespace {

const std::vector<QuantType> kQuants{QuantType::Q4_0,   QuantType::Q4_1,  QuantType::Q5_0,  QuantType::Q5_1,
                                     QuantType::Q8_0,   QuantType::Q2_K,  QuantType::Q3_K,  QuantType::Q4_K,
                                     QuantType::Q5_K,   QuantType::Q6_K,  QuantType::Q8_K,  QuantType::IQ4_NL,
                                     QuantType::IQ4_XS, QuantType::TQ1_0, QuantType::TQ2_0, QuantType::MXFP4};

std::vector<float> dequantized(StoredType type, std::string_view bytes) {
  const BlockSize block = block_size(type);
  std::vector<float> values(bytes.size() / static_cast<std::size_t>(block.bytes) *
                            static_cast<std::size_t>(block.values));
  dequantize(type, std::as_bytes(std::span(bytes)), values);
  return values;
}

/// Compares TYPE.bin, read by us, with TYPE.f32.
void expect_equal_files(const std::filesystem::path& folder, StoredType type) {
  SCOPED_TRACE(type_name(type));
  const std::string name(type_name(type));
  const std::string blocks = slurp(folder / (name + ".bin"));
  ASSERT_FALSE(blocks.empty());
  EXPECT_TRUE(same_bits(dequantized(type, blocks), floats_in(slurp(folder / (name + ".f32")))));
}

TEST(Dequantize, EqualsTheCommittedValuesOfTheGgufPackage) {
  for (const QuantType type : kQuants) {
    expect_equal_files(std::filesystem::path(LATHE_SOURCE_DIR) / "tests/io/goldens", type);
  }
}

TEST(Dequantize, EqualsTheGgufPackageOnThousandsOfRandomBlocksAndEveryHalf) {
  LATHE_NEEDS_PYTHON("gguf numpy");
  const TempFolder folder;
  const PythonResult python = run_reference("blocks " + folder.path().string() + " 1234 3000");
  ASSERT_TRUE(python.ok) << python.output;

  for (const QuantType type : kQuants) expect_equal_files(folder.path(), type);
  expect_equal_files(folder.path(), DType::F16);
  expect_equal_files(folder.path(), DType::BF16);
}

/// Two blocks whose bytes follow a formula, and the digest of the values that ggml's own C code gives for them.
struct FormulaCase {
  QuantType type;
  const char* sha256_start;
  float first;
  float last;
};

class FormulaBlocks : public testing::TestWithParam<FormulaCase> {};

std::uint16_t half_bits(double value) {
  // Only for the few normal values below: round to 11 bits, to nearest even.
  const int exponent = std::ilogb(value);
  const double scaled = std::nearbyint(std::ldexp(std::abs(value), 10 - exponent));
  const auto mantissa = static_cast<int>(scaled);
  const int bits = ((exponent + 15) << 10) + (mantissa - 1024) + (value < 0 ? 0x8000 : 0);
  return static_cast<std::uint16_t>(bits);
}

void put_half(std::string& block, std::size_t at, double value) {
  const std::uint16_t bits = half_bits(value);
  std::memcpy(block.data() + at, &bits, sizeof bits);
}

TEST_P(FormulaBlocks, EqualGgmlsOwnCode) {
  const auto [type, sha256_start, first, last] = GetParam();
  std::string bytes;
  for (int b = 0; b < 2; ++b) {
    std::string block(static_cast<std::size_t>(block_size(type).bytes), '\0');
    for (std::size_t k = 0; k < block.size(); ++k)
      block[k] = static_cast<char>((k * 37 + 11 + 101U * static_cast<unsigned>(b)) & 255);
    put_half(block, type == QuantType::Q6_K ? 208 : 0, 0.07 * (1 + b));
    if (type == QuantType::Q4_1 || type == QuantType::Q5_1) put_half(block, 2, -0.03 * (1 + b));
    if (type == QuantType::Q4_K || type == QuantType::Q5_K) put_half(block, 2, 0.02 * (1 + b));
    bytes += block;
  }

  const std::vector<float> values = dequantized(type, bytes);

  EXPECT_EQ(sha256_hex(std::as_bytes(std::span(values))).substr(0, 16), sha256_start);
  EXPECT_NEAR(values.front(), first, std::abs(first) * 1e-5F);
  EXPECT_NEAR(values.back(), last, std::abs(last) * 1e-5F);
}

INSTANTIATE_TEST_SUITE_P(Types, FormulaBlocks,
                         testing::Values(FormulaCase{QuantType::Q4_0, "80e7d6f162084cb4", -0.210022F, 0.840088F},
                                         FormulaCase{QuantType::Q4_1, "51c04b35d69eb374", 1.02011F, 0.220032F},
                                         FormulaCase{QuantType::Q5_0, "1d21229bc4850c35", 0.630066F, -1.26013F},
                                         FormulaCase{QuantType::Q5_1, "a6f6af29cba3d24a", 1.30014F, 1.62018F},
                                         FormulaCase{QuantType::Q8_0, "d2c9f42c9bb1a9df", 5.95062F, 7.42078F},
                                         FormulaCase{QuantType::Q4_K, "51278a46386cc340", 22.8523F, 3.42032F},
                                         FormulaCase{QuantType::Q5_K, "e2334b7057f82b5d", 57.5759F, 41.2243F},
                                         FormulaCase{QuantType::Q6_K, "ed2f8000713b8a76", -100.18F, -254.827F}),
                         [](const auto& formula) { return std::string(type_name(formula.param.type)); });

TEST(Dequantize, ReadsFromAnyAddress) {
  const std::string shifted = "x" + std::string("\0\x3c\0\xc0", 4);  // 1.0 and -2.0 as F16, at an odd address

  EXPECT_EQ(dequantized(DType::F16, std::string_view(shifted).substr(1)), (std::vector<float>{1.0F, -2.0F}));
}

TEST(Dequantize, RefusesBytesThatAreNotThatManyValues) {
  std::vector<float> out(32);
  const std::string bytes(40, '\0');

  EXPECT_THROW(dequantize(QuantType::Q4_0, std::as_bytes(std::span(bytes)).first(17), out), Error);
  EXPECT_THROW(dequantize(QuantType::Q4_0, std::as_bytes(std::span(bytes)).first(18), std::span(out).first(31)), Error);
  EXPECT_THROW(dequantize(DType::F32, std::as_bytes(std::span(bytes)), out), Error);
}

TEST(Bf16, RoundsToNearestEven) {
  const auto bf16 = [](std::uint32_t bits) {
    const float value = std::bit_cast<float>(bits);
    std::uint16_t out = 0;
    bf16_from_f32({&value, 1}, {&out, 1});
    return out;
  };

  EXPECT_EQ(bf16(0x3F800000), 0x3F80);  // exact
  EXPECT_EQ(bf16(0x3F808000), 0x3F80);  // half way: to the even one below
  EXPECT_EQ(bf16(0x3F818000), 0x3F82);  // half way: to the even one above
  EXPECT_EQ(bf16(0x3F808001), 0x3F81);
  EXPECT_EQ(bf16(0xBF80FFFF), 0xBF81);
  EXPECT_EQ(bf16(0x7F7FFFFF), 0x7F80);  // the largest float rounds to infinity
  EXPECT_EQ(bf16(0x7F800000), 0x7F80);
  EXPECT_EQ(bf16(0x7F800001), 0x7FC0);  // a NaN stays one though its set bit is cut off
  EXPECT_EQ(bf16(0x80000000), 0x8000);
}

}  // namespace
}  // namespace lathe
