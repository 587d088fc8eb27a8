#include <gtest/gtest.h>

#include "model/data/error.h"
#include "model/io/gguf.h"
#include "model/io/hash.h"
#include "tests/io/bad_file_case.h"
#include "tests/io/byte_builder.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

using Case = BadFileCase;

constexpr std::uint32_t kU8 = 0;
constexpr std::uint32_t kU32 = 4;
constexpr std::uint32_t kI32 = 5;
constexpr std::uint32_t kBool = 7;
constexpr std::uint32_t kString = 8;
constexpr std::uint32_t kArray = 9;
constexpr std::uint32_t kU64 = 10;
constexpr std::uint32_t kF32Tensor = 0;
constexpr std::uint32_t kQ4_0Tensor = 2;
constexpr std::uint32_t kQ4_KTensor = 12;
constexpr std::uint64_t kMax64 = ~std::uint64_t{0};

const std::string kData(32, '\1');

/// A good file: one string value, one tensor of 8 f32.
GgufBuilder good(std::uint32_t version = 3) {
  GgufBuilder builder(version);
  return builder.value("general.architecture", "llama").tensor("a", {8}, kF32Tensor, kData);
}

std::string with_counts(std::uint64_t tensors, std::uint64_t values) {
  GgufBuilder builder = good();
  builder.num_tensors = tensors;
  builder.num_values = values;
  return builder.bytes();
}

std::string with_dims(std::vector<std::uint64_t> dims, std::uint32_t type = kF32Tensor) {
  return GgufBuilder().tensor("a", std::move(dims), type, kData).bytes();
}

std::string with_key(const std::string& key) { return GgufBuilder().value(key, kU8, std::uint8_t{1}).bytes(); }

/// A value that starts well and goes on with `rest`.
std::string with_raw(std::uint32_t type, std::string_view rest) {
  std::string value;
  GgufBuilder::string(value, "k");
  append(value, type);
  return GgufBuilder().raw_value(value + std::string(rest)).bytes();
}

std::string number(std::uint64_t value) {
  std::string bytes;
  append(bytes, value);
  return bytes;
}

std::vector<Case> header_cases() {
  return {
      {"00_ok", good().bytes(), ""},
      {"01_empty", "", "not a GGUF file"},
      {"02_magic_only", "GGUF", "ends in the middle of the version"},
      {"03_bad_magic", "FUGG" + good().bytes().substr(4), "not a GGUF file"},
      {"04_ggml_old_magic", "lmgg" + good().bytes().substr(4), "before GGUF"},
      {"05_version0", good(0).bytes(), "version 0"},
      {"06_version1", good(1).bytes(), "version 1"},
      {"07_version2_ok", good(2).bytes(), ""},
      {"08_version4", good(4).bytes(), "version 4"},
      {"09_version_bigendian", good(0x03000000).bytes(), "big-endian"},
      {"10_version_max", good(0xFFFFFFFF).bytes(), "version 4294967295"},
      {"11_ntensors_neg1", with_counts(kMax64, 1), "cannot fit"},
      {"12_nkv_neg1", with_counts(1, kMax64), "cannot fit"},
      {"13_ntensors_huge", with_counts(std::uint64_t{1} << 40, 1), "cannot fit"},
      {"14_nkv_huge", with_counts(1, std::uint64_t{1} << 40), "cannot fit"},
      {"15_ntensors_2_but_1", with_counts(2, 1), "empty name"},
      {"16_nkv_2_but_1", with_counts(1, 2), "empty name"},
      {"17_truncated_in_header", good().bytes().substr(0, 20), "cut off or broken"},
      {"84_no_tensors", GgufBuilder().bytes(), ""},
      {"89_truncated_in_tensor_info", good().bytes().substr(0, 80), "ends in the middle"},
      {"90_safetensors_as_gguf", safetensors_bytes(R"({"a":1})", ""), "looks like a safetensors file"},
      {"91_lfs", "version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"},
  };
}

std::vector<Case> key_and_value_cases() {
  const std::string long_key(70'000, 'k');
  std::string deep;
  for (int i = 0; i < 100'000; ++i) append(deep, kArray), append<std::uint64_t>(deep, 1);
  std::string nested;
  append(nested, kArray);
  append<std::uint64_t>(nested, 1);
  const auto array = [](std::uint32_t type, std::uint64_t count, std::string_view elements = "") {
    return GgufBuilder().array("k", type, count, elements).bytes();
  };
  return {
      {"18_key_len_u64max", GgufBuilder().raw_value(number(kMax64) + kData).bytes(), "bytes, but only"},
      {"19_key_len_2g", GgufBuilder().raw_value(number(std::uint64_t{1} << 31) + kData).bytes(), "bytes, but only"},
      {"20_key_empty", with_key(""), "a key is empty"},
      {"21_key_dup", GgufBuilder().value("k", kU8, '\1').value("k", kU8, '\1').bytes(), "\"k\" is there twice"},
      {"22_key_nul", with_key(std::string("a\0b", 3)), "printable ASCII"},
      {"23_key_not_ascii", with_key("\xc3\xa4"), "printable ASCII"},
      {"24_key_70000", with_key(long_key), "at most 65535"},
      {"25_type_13", with_raw(13, kData), "unknown type 13"},
      {"26_type_max", with_raw(0xFFFFFFFF, kData), "unknown type 4294967295"},
      {"27_str_len_past_eof", with_raw(kString, number(1000) + kData), "1000 bytes, but only"},
      {"28_str_len_u64max", with_raw(kString, number(kMax64) + kData), "bytes, but only"},
      {"29_str_not_utf8", GgufBuilder().value("k", "\xff\xfe").bytes(), ""},
      {"30_arr_nested", with_raw(kArray, nested + kData), "array of arrays"},
      {"31_arr_nested_deep", with_raw(kArray, deep), "array of arrays"},
      {"32_arr_len_u64max", array(kU8, kMax64), "cannot fit"},
      {"33_arr_len_2p62", array(kU32, std::uint64_t{1} << 62), "cannot fit"},
      {"34_arr_len_2p30", array(kU8, std::uint64_t{1} << 30), "cannot fit"},
      {"35_arr_str_count_2p61", array(kString, std::uint64_t{1} << 61), "cannot fit"},
      {"36_arr_past_eof", array(kU64, 100, kData), "cannot fit"},
      {"36b_arr_str_past_eof", array(kString, 2, number(1) + "x" + number(99)), "99 bytes, but only"},
      {"37_arr_type_bad", array(99, 1, kData), "unknown type 99"},
      {"38_arr_empty", array(kString, 0), ""},
      {"39_bool_2", GgufBuilder().value("k", kBool, std::uint8_t{2}).bytes(), "a bool is 2"},
      {"39b_bool_in_array", array(kBool, 1, "\2"), "a bool is 2"},
  };
}

std::vector<Case> alignment_cases() {
  const auto aligned = [](std::uint32_t type, auto value, std::size_t alignment) {
    GgufBuilder builder;
    builder.alignment = alignment;
    return builder.value("general.alignment", type, value).tensor("a", {8}, kF32Tensor, kData).bytes();
  };
  const auto u32 = [&](std::uint32_t value) { return aligned(kU32, value, 32); };
  return {
      {"40_align0", u32(0), "general.alignment is 0"},
      {"41_align13", u32(13), "general.alignment is 13"},
      {"42_align1", aligned(kU32, std::uint32_t{1}, 1), ""},
      {"42b_align64", aligned(kU32, std::uint32_t{64}, 64), ""},
      {"43_align_2p31", u32(std::uint32_t{1} << 31), "up to 65536"},
      {"44_align_int32", aligned(kI32, std::int32_t{32}, 32), "of type i32"},
      {"45_align_u64", aligned(kU64, std::uint64_t{32}, 32), "of type u64"},
      {"46_align_string", GgufBuilder().value("general.alignment", "32").bytes(), "of type string"},
      {"47_align_array", GgufBuilder().array("general.alignment", kU32, 1, "abcd").bytes(), "of type array"},
      {"47b_align_array_empty", GgufBuilder().array("general.alignment", kU32, 0, "").bytes(), "of type array"},
  };
}

std::vector<Case> tensor_cases() {
  const auto named = [](const std::string& name) { return GgufBuilder().tensor(name, {8}, kF32Tensor, kData).bytes(); };
  const auto twice = [](const std::string& name) {
    return GgufBuilder().tensor("a", {8}, kF32Tensor, kData).tensor(name, {8}, kF32Tensor, kData).bytes();
  };
  constexpr std::uint64_t k2p32 = std::uint64_t{1} << 32;
  GgufBuilder long_name;
  long_name.raw_value(number(std::uint64_t{1} << 40) + kData);
  long_name.num_values = 0;
  long_name.num_tensors = 1;
  return {
      {"48_name_empty", named(""), "empty name"},
      {"49_name_63", named(std::string(63, 'n')), ""},
      {"50_name_64", named(std::string(64, 'n')), "64 bytes, expected at most 63"},
      {"51_name_dup", twice("a"), "\"a\" is there twice"},
      {"52_name_dup_via_nul", twice(std::string("a\0b", 3)), "holds a NUL"},
      {"53_name_huge", long_name.bytes(), "bytes, but only"},
      {"54_ndims0", GgufBuilder().tensor("a", {}, kF32Tensor, "abcd").bytes(), ""},
      {"55_ndims5", with_dims({1, 1, 1, 1, 8}), "5 dimensions"},
      {"57_dim_neg", with_dims({kMax64}), "too large"},
      {"58_dim_zero", GgufBuilder().tensor("a", {8, 0}, kF32Tensor, "").bytes(), ""},
      {"59_dim0_zero_first", GgufBuilder().tensor("a", {0, 8}, kF32Tensor, "").bytes(), ""},
      {"60_ne_overflow", with_dims({8589934588, 8589934588}), "too large"},
      {"61_ne_wrap_zero_2p32x2p32", with_dims({k2p32, k2p32}), "too large"},
      {"62_ne_wrap_small", with_dims({k2p32 + 1, k2p32}), "too large"},
      {"63_ne_wrap_4d", with_dims({65536, 65536, 65536, 65536}), "too large"},
      {"64_nbytes_overflow_i64", with_dims({std::uint64_t{1} << 61}), "too large"},
      {"65_dim_2p62_f32", with_dims({std::uint64_t{1} << 62}), "too large"},
      {"66_dim_2p42p1", with_dims({8, (std::uint64_t{1} << 42) + 1}), "cut off"},
      {"67_type_neg", with_dims({8}, 0xFFFFFFFF), "type number 4294967295"},
      {"68_type_99", with_dims({8}, 99), "type number 99"},
      {"69_type_removed_4", with_dims({32}, 4), "type number 4"},
      {"70_type_removed_31", with_dims({32}, 31), "type number 31"},
      {"71_type_q8_1_internal", with_dims({32}, 9), "type number 9"},
      {"72_q4_0_row31", with_dims({31}, kQ4_0Tensor), "whole blocks of 32"},
      {"73_q4_K_row128", with_dims({128}, kQ4_KTensor), "whole blocks of 256"},
  };
}

std::vector<Case> data_cases() {
  const auto at = [](std::uint64_t first, std::uint64_t second) {
    return GgufBuilder()
        .tensor_at("a", {8}, kF32Tensor, first)
        .tensor_at("b", {8}, kF32Tensor, second)
        .data(kData + kData + kData)
        .bytes();
  };
  const std::string file = good().bytes();
  const auto short_data = [](std::string_view data) {
    return GgufBuilder().tensor_at("a", {7}, kF32Tensor, 0).data(data).bytes();
  };
  return {
      {"74_off_neg1", at(kMax64, 32), "offset 18446744073709551615, expected 0"},
      {"75_off_unaligned", at(4, 32), "offset 4, expected 0"},
      {"76_off_hole", at(0, 64), "offset 64, expected 32"},
      {"77_off_overlap", at(0, 0), "offset 0, expected 32"},
      {"78_off_past_eof", with_dims({16}), "cut off"},
      {"79_off_swapped", at(32, 0), "offset 32, expected 0"},
      {"80_data_short_by1", file.substr(0, file.size() - 1), "cut off"},
      {"81_data_missing", file.substr(0, file.size() - 32), "cut off"},
      {"81b_cut_in_padding_before_data", file.substr(0, file.size() - 33), "cut off"},
      {"82_trailing", file + "xyz", ""},
      {"83_no_final_pad", short_data(std::string(28, '\1')), ""},
      {"83b_short_of_no_final_pad", short_data(std::string(27, '\1')), "cut off"},
  };
}

class BadGguf : public testing::TestWithParam<Case> {};

TEST_P(BadGguf, GetsItsOwnSentence) {
  const TempFolder folder;
  const auto path = folder.write("model.gguf", GetParam().bytes);
  std::string message;

  try {
    const GgufFile file(path);
    for (const GgufTensor& tensor : file.tensors()) EXPECT_EQ(sha256_hex(tensor.bytes).size(), 64U);
  } catch (const Error& error) {
    message = error.what();
  }

  if (GetParam().message.empty()) {
    EXPECT_EQ(message, "");
  } else {
    EXPECT_NE(message.find(GetParam().message), std::string::npos) << "got: " << message;
    EXPECT_NE(message.find(path.string()), std::string::npos) << "the path is missing: " << message;
  }
}

INSTANTIATE_TEST_SUITE_P(Header, BadGguf, testing::ValuesIn(header_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Values, BadGguf, testing::ValuesIn(key_and_value_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Alignment, BadGguf, testing::ValuesIn(alignment_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Tensors, BadGguf, testing::ValuesIn(tensor_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Data, BadGguf, testing::ValuesIn(data_cases()), case_name);

TEST(GgufLimits, SixtyThousandKeysOpen) {
  const TempFolder folder;
  GgufBuilder builder;
  for (int i = 0; i < 60'000; ++i) builder.value("key." + std::to_string(i), kU8, std::uint8_t{1});

  const GgufFile file(folder.write("many.gguf", builder.bytes()));

  EXPECT_EQ(file.metadata().size(), 60'000U);
}

}  // namespace
}  // namespace lathe
