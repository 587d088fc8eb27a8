#include "model/io/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "model/data/error.h"
#include "model/io/dequantize.h"
#include "model/io/hash.h"
#include "tests/io/byte_builder.h"
#include "tests/io/float_matchers.h"
#include "tests/io/reference_python.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

using testing::HasSubstr;

/// A source that owns its bytes.
TensorSource source(std::string name, DType dtype, std::vector<std::int64_t> shape, std::string bytes) {
  return {std::move(name), dtype, std::move(shape),
          [bytes = std::move(bytes)] { return std::as_bytes(std::span(bytes)); }};
}

std::vector<TensorSource> some_tensors() {
  return {source("b", DType::BF16, {2, 3}, "0123456789ab"),
          source("flag", DType::Bool, {3}, std::string("\1\0\1", 3)),
          source("w \"quoted\" ü", DType::F32, {1, 2}, "abcdefgh"),
          source("none", DType::I64, {0, 7}, ""),
          source("one", DType::F64, {}, "ABCDEFGH"),
          source("e", DType::F8_E4M3, {5}, "vwxyz")};
}

TEST(WriteSafetensors, WhatIsReadBackIsWhatWasWritten) {
  const TempFolder folder;
  const std::vector<TensorSource> tensors = some_tensors();

  const WrittenFile written = write_safetensors(folder.path() / "a.safetensors", tensors);

  const SafetensorsFile file(folder.path() / "a.safetensors");
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const TensorSource& expected : tensors) {
    SCOPED_TRACE(expected.name);
    const auto got = std::find_if(file.tensors().begin(), file.tensors().end(),
                                  [&](const SafetensorsTensor& tensor) { return tensor.name == expected.name; });
    ASSERT_NE(got, file.tensors().end());
    EXPECT_EQ(got->dtype, expected.dtype);
    EXPECT_EQ(got->shape, expected.shape);
    EXPECT_EQ(sha256_hex(got->bytes), sha256_hex(expected.bytes()));
  }
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ(written.sha256, sha256_file(folder.path() / "a.safetensors"));
  EXPECT_EQ(static_cast<std::uintmax_t>(written.bytes), std::filesystem::file_size(folder.path() / "a.safetensors"));
}

TEST(WriteSafetensors, EveryTensorIsAligned) {
  const TempFolder folder;
  const auto path = folder.path() / "a.safetensors";

  write_safetensors(path, some_tensors());

  const SafetensorsFile file(path);
  for (const SafetensorsTensor& tensor : file.tensors()) {
    SCOPED_TRACE(tensor.name);
    EXPECT_EQ(
        reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % static_cast<std::uintptr_t>(dtype_bytes(tensor.dtype)),
        0U);
  }
}

TEST(WriteSafetensors, ThePythonPackageReadsTheSameBytes) {
  LATHE_NEEDS_PYTHON("safetensors numpy");
  const TempFolder folder;
  const auto path = folder.path() / "a.safetensors";
  std::vector<TensorSource> tensors = some_tensors();
  tensors[2].name = "w";  // the listing below separates by spaces
  write_safetensors(path, tensors);

  const PythonResult python = run_reference("read-safetensors " + path.string());

  ASSERT_TRUE(python.ok) << python.output;
  EXPECT_THAT(python.output, HasSubstr(R"(metadata {"format": "pt"})"));
  for (const TensorSource& tensor : tensors) {
    std::ostringstream line;
    line << tensor.name << " " << dtype_name(tensor.dtype) << " " << shape_text(tensor.shape) << " "
         << sha256_hex(tensor.bytes());
    EXPECT_THAT(python.output, HasSubstr(line.str()));
  }
}

TEST(ReadSafetensors, GivesTheBytesAndValuesThatPythonWrote) {
  LATHE_NEEDS_PYTHON("safetensors numpy torch");
  const TempFolder folder;
  const PythonResult python = run_reference("safetensors " + folder.path().string());
  ASSERT_TRUE(python.ok) << python.output;

  const SafetensorsFile file(folder.path() / "all.safetensors");

  EXPECT_EQ(file.tensors().size(), 16U);
  EXPECT_EQ(file.metadata().at("note"), "käse");
  for (const SafetensorsTensor& tensor : file.tensors()) {
    SCOPED_TRACE(tensor.name);
    EXPECT_EQ(sha256_hex(tensor.bytes), sha256_hex(slurp(folder.path() / (tensor.name + ".bin"))));
    const std::vector<float> expected = floats_in(slurp(folder.path() / (tensor.name + ".f32")));
    std::vector<float> values(expected.size());
    dequantize(tensor.dtype, tensor.bytes, values);
    EXPECT_TRUE(same_bits(values, expected));
  }
}

TEST(WriteSafetensors, CanReplaceTheFileThatItReadsFrom) {
  const TempFolder folder;
  const auto path = folder.path() / "a.safetensors";
  write_safetensors(path, some_tensors());
  const SafetensorsFile old(path);
  const std::string hash_before = sha256_hex(old.tensors().front().bytes);

  std::vector<TensorSource> tensors;
  for (const SafetensorsTensor& tensor : old.tensors()) {
    tensors.push_back({tensor.name, tensor.dtype, tensor.shape, [&tensor] { return tensor.bytes; }});
  }
  write_safetensors(path, tensors);

  EXPECT_EQ(sha256_hex(old.tensors().front().bytes), hash_before) << "the mapped file changed under its reader";
  EXPECT_EQ(sha256_hex(SafetensorsFile(path).tensors().front().bytes), hash_before);
}

TEST(WriteSafetensors, RefusesWhatNoReaderWouldAccept) {
  const TempFolder folder;
  const auto path = folder.path() / "a.safetensors";
  const auto write = [&](std::vector<TensorSource> tensors) { write_safetensors(path, tensors); };

  EXPECT_THROW(write({source("a", DType::U8, {1}, "x"), source("a", DType::U8, {1}, "y")}), Error);
  EXPECT_THROW(write({source("", DType::U8, {1}, "x")}), Error);
  EXPECT_THROW(write({source("__metadata__", DType::U8, {1}, "x")}), Error);
  EXPECT_THROW(write({source("a", DType::U8, {-1}, "x")}), Error);
  EXPECT_THROW(write({source("a", DType::U8, {2}, "x")}), Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "a failed save left something behind";
}

TEST(WriteSafetensors, CancelLeavesTheOldFile) {
  const TempFolder folder;
  const auto path = folder.path() / "a.safetensors";
  write_safetensors(path, some_tensors());
  const std::string before = slurp(path);
  std::stop_source stop;
  const Job job(stop.get_token(), [&](const Progress& progress) {
    if (progress.done > 400) stop.request_stop();
  });

  EXPECT_THROW(write_safetensors(path, some_tensors(), job), Cancelled);

  EXPECT_EQ(slurp(path), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(ReadSafetensors, OpensAMillionTensors) {
  const TempFolder folder;
  std::string header = "{";
  constexpr int kCount = 1'000'000;
  for (int i = 0; i < kCount; ++i) {
    header += (i ? ",\"" : "\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" +
              std::to_string(i) + "," + std::to_string(i + 1) + "]}";
  }

  const SafetensorsFile file(folder.write("a.safetensors", safetensors_bytes(header + "}", std::string(kCount, 'x'))));

  EXPECT_EQ(file.tensors().size(), static_cast<std::size_t>(kCount));
}

}  // namespace
}  // namespace lathe
