#include "model/io/quantize.h"

#include <gtest/gtest.h>

#include "model/data/error.h"
#include "model/io/dequantize.h"
#include "tests/io/float_matchers.h"
#include "tests/io/reference_python.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

const std::vector<StoredType> kTypes{DType::F32, DType::F16, DType::BF16, QuantType::Q8_0, QuantType::Q4_0};

std::string bytes_of(StoredType type, std::span<const float> values) {
  const std::vector<std::byte> bytes = quantize(type, values);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Quantize, GivesTheBytesOfTheGgufPackage) {
  LATHE_NEEDS_PYTHON("gguf numpy");
  const TempFolder folder;
  const PythonResult python = run_reference("quantized " + folder.path().string() + " 77 4000");
  ASSERT_TRUE(python.ok) << python.output;
  const std::vector<float> values = floats_in(slurp(folder.path() / "values.f32"));

  for (const StoredType type : kTypes) {
    EXPECT_TRUE(bytes_of(type, values) == slurp(folder.path() / (std::string(type_name(type)) + ".bin")))
        << type_name(type);
  }
}

TEST(Quantize, KeepsEveryHalfAsItIs) {
  std::string halves;
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const bool is_nan = (bits & 0x7FFF) > 0x7C00;
    if (!is_nan) halves.append({static_cast<char>(bits & 255), static_cast<char>(bits >> 8)});
  }
  std::vector<float> values(halves.size() / 2);
  dequantize(DType::F16, std::as_bytes(std::span(halves)), values);

  EXPECT_TRUE(bytes_of(DType::F16, values) == halves);
}

TEST(Quantize, ErrsByAStepAtMost) {
  std::vector<float> values;
  for (int i = 0; i < 64; ++i) values.push_back(static_cast<float>(i % 13 - 6) * 0.31F);
  for (const auto& [type, steps] : {std::pair{QuantType::Q8_0, 127.0F}, std::pair{QuantType::Q4_0, 8.0F}}) {
    std::vector<float> read(values.size());
    const std::vector<std::byte> stored = quantize(type, values);
    dequantize(type, stored, read);
    const float step = 6 * 0.31F / steps;
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(read[i], values[i], step * 1.01F) << type_name(type);
  }
}

TEST(Quantize, RefusesPartsOfBlocksAndOtherTypes) {
  const std::vector<float> values(33);

  EXPECT_THROW(quantize(QuantType::Q8_0, values), Error);
  EXPECT_THROW(quantize(QuantType::Q4_K, std::span(values).first(32)), Error);
  EXPECT_THROW(quantize(DType::I8, values), Error);
}

}  // namespace
}  // namespace lathe
