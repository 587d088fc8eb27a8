#include <gtest/gtest.h>

#include "model/data/error.h"
#include "model/io/hash.h"
#include "model/io/safetensors.h"
#include "tests/io/bad_file_case.h"
#include "tests/io/byte_builder.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

using Case = BadFileCase;

const std::string kZeros(16, '\0');

/// A file with one good tensor `test` whose header is followed by `data`.
std::string with_header(std::string_view header, std::string_view data = kZeros) {
  return safetensors_bytes(header, data);
}

/// A file whose only tensor has this object as its description.
std::string with_info(const std::string& info, std::string_view data = kZeros) {
  return with_header(R"({"test":)" + info + "}", data);
}

std::string with_length(std::uint64_t length, std::string_view rest = "") {
  std::string bytes;
  append(bytes, length);
  return bytes + std::string(rest);
}

const std::string kInfo = R"({"dtype":"I32","shape":[2,2],"data_offsets":[0,16]})";
const std::string kGood = R"({"test":)" + kInfo + "}";

std::string nested(std::size_t depth) {
  return R"({"test":{"x":)" + std::string(depth, '[') + std::string(depth, ']') + "}}";
}

std::vector<Case> length_cases() {
  return {
      {"00_ok", with_header(kGood), ""},
      {"01_empty_file", "", "0 bytes"},
      {"02_7bytes", std::string(7, '\0'), "7 bytes"},
      {"03_header_len_only", with_length(100), "cut off"},
      {"04_n_zero", with_length(0), "not JSON"},
      {"05_n_zero_with_data", with_length(0, kZeros), "not JSON"},
      {"06_n_gt_file", with_length(1000, kGood), "cut off"},
      {"07_n_100M_plus1", with_length(100'000'001, kGood), "at most 100000000"},
      {"08_n_100M_exact_short", with_length(100'000'000, kGood), "cut off"},
      {"09_n_u64max", with_length(~std::uint64_t{0}, kGood), "at most 100000000"},
      {"10_n_u64max_minus7", with_length(~std::uint64_t{0} - 7, kGood), "at most 100000000"},
      {"11_n_big_endian", with_length(__builtin_bswap64(kGood.size()), kGood), "at most 100000000"},
      {"90_lfs_pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "Git LFS pointer"},
      {"91_html_404", "<!DOCTYPE html><html><body>Not found</body></html>", "web page"},
      {"92_zip_magic", "PK\x03\x04" + std::string(60, 'x'), "zip archive"},
      {"93_gguf_magic", "GGUF" + std::string(60, '\3'), "GGUF file"},
      {"94_pickle_magic", "\x80\x02}q.", "pickle"},
      {"95_cut_off_header_of_0x280_bytes", with_length(0x280, kGood), "cut off"},
  };
}

std::vector<Case> text_cases() {
  std::string utf16;
  for (const char c : kGood) utf16 += {c, '\0'};
  return {
      {"12_not_utf8", with_header("\xff\xfe{}"), "not UTF-8 at byte 0"},
      {"13_utf8_overlong", with_header("{\"\xc0\xaf\":" + kInfo + "}"), "not UTF-8 at byte 2"},
      {"14_utf8_surrogate_bytes", with_header("{\"\xed\xa0\x80\":" + kInfo + "}"), "not UTF-8 at byte 2"},
      {"15_not_json", with_header("{"), "not JSON"},
      {"16_json_array", with_header("[]"), "is an array"},
      {"17_json_null", with_header("null"), "is null"},
      {"18_json_string", with_header(R"("abc")"), "is a string"},
      {"19_json_trailing_garbage", with_header(kGood + "x"), "not JSON"},
      {"20_json_nul_padding", with_header(kGood + std::string(4, '\0')), "NUL at byte"},
      {"21_leading_space_header", with_header("  " + kGood), ""},
      {"21_trailing_space_header", with_header(kGood + "   "), ""},
      {"22_bom_header", with_header("\xef\xbb\xbf" + kGood), "byte order mark"},
      {"23_json_comments", with_header("{/*x*/\"test\":" + kInfo + "}"), "not JSON"},
      {"24_json_single_quotes", with_header("{'test':1}"), "not JSON"},
      {"25_json_trailing_comma", with_header(R"({"test":)" + kInfo + ",}"), "not JSON"},
      {"26_deep_nest_127", with_header(nested(127)), "levels deep"},
      {"27_deep_nest_100k", with_header(nested(100'000)), "levels deep"},
      {"A7_utf16_header", with_header(utf16), "NUL at byte"},
      {"A8_control_char_in_name", with_header("{\"a\nb\":" + kInfo + "}"), "not JSON"},
      {"A9_nan_literal", with_info(R"({"dtype":"I32","shape":[NaN],"data_offsets":[0,16]})"), "not JSON"},
  };
}

std::vector<Case> duplicate_and_metadata_cases() {
  const std::string other = R"({"dtype":"F32","shape":[4],"data_offsets":[0,16]})";
  return {
      {"28_dup_tensor_same", with_header(R"({"test":)" + kInfo + R"(,"test":)" + kInfo + "}"),
       "\"test\" is there twice"},
      {"29_dup_tensor_diff_dtype", with_header(R"({"test":)" + kInfo + R"(,"test":)" + other + "}"), "twice"},
      {"29b_dup_by_escape", with_header(R"({"test":)" + kInfo + R"(,"t\u0065st":)" + other + "}"), "twice"},
      {"30_dup_metadata", with_header(R"({"__metadata__":{},"__metadata__":{},"test":)" + kInfo + "}"), "twice"},
      {"31_dup_metadata_key", with_header(R"({"__metadata__":{"a":"1","a":"2"},"test":)" + kInfo + "}"), "twice"},
      {"32_dup_field_in_tensor", with_info(R"({"dtype":"I32","dtype":"I32","shape":[2,2],"data_offsets":[0,16]})"),
       "dtype is there twice"},
      {"33_metadata_nonstring", with_header(R"({"__metadata__":{"a":1},"test":)" + kInfo + "}"), "expected a string"},
      {"34_metadata_nested", with_header(R"({"__metadata__":{"a":{}},"test":)" + kInfo + "}"), "expected a string"},
      {"35_metadata_null", with_header(R"({"__metadata__":null,"test":)" + kInfo + "}"), ""},
      {"36_metadata_array", with_header(R"({"__metadata__":[],"test":)" + kInfo + "}"), "expected an object"},
      {"37_metadata_only", with_header(R"({"__metadata__":{"a":"b"}})", ""), ""},
      {"85_name_metadata_as_tensor", with_header(R"({"__metadata__":)" + kInfo + "}"), "expected a string"},
      {"A6_metadata_after", with_header(R"({"test":)" + kInfo + R"(,"__metadata__":{"a":"b"}})"), ""},
  };
}

std::vector<Case> schema_cases() {
  const auto shape = [](const std::string& value) {
    return with_info(R"({"dtype":"I32","shape":)" + value + R"(,"data_offsets":[0,16]})");
  };
  const auto dtype = [](const std::string& value) {
    return with_info(R"({"dtype":)" + value + R"(,"shape":[2,2],"data_offsets":[0,16]})");
  };
  return {
      {"38_missing_dtype", with_info(R"({"shape":[2,2],"data_offsets":[0,16]})"), "dtype is missing"},
      {"39_missing_shape", with_info(R"({"dtype":"I32","data_offsets":[0,16]})"), "shape is missing"},
      {"40_missing_offsets", with_info(R"({"dtype":"I32","shape":[2,2]})"), "data_offsets is missing"},
      {"41_extra_field", with_info(R"({"dtype":"I32","shape":[2,2],"data_offsets":[0,16],"x":[{"y":[1]}]})"), ""},
      {"42_unknown_dtype", dtype(R"("Q4_K")"), "dtype \"Q4_K\""},
      {"43_lowercase_dtype", dtype(R"("i32")"), "dtype \"i32\""},
      {"44_dtype_number", dtype("3"), "dtype is a number"},
      {"44b_dtype_object", dtype("{}"), "dtype is an object"},
      {"45_shape_negative", shape("[-2,2]"), "a negative number"},
      {"46_shape_float", shape("[2.0,2]"), "shape holds 2.0"},
      {"47_shape_exp", shape("[2e0,2]"), "shape holds 2e0"},
      {"48_shape_string", shape(R"(["2",2])"), "shape holds a string"},
      {"49_shape_gt_u64", shape("[18446744073709551616]"), "shape holds"},
      {"49b_shape_gt_i64", shape("[9223372036854775808]"), "too large"},
      {"50_shape_null", shape("null"), "shape is null"},
      {"51_shape_bool", shape("[true,2]"), "a bool"},
      {"51b_shape_nested", shape("[[2],2]"), "an array"},
      {"95_number_leading_zero", shape("[02,2]"), "not JSON"},
      {"96_number_plus", shape("[+2,2]"), "not JSON"},
      {"97_number_minus_zero", shape("[-0,2]"), "a negative number"},
      {"A4_value_is_string", with_info(R"("abc")"), "expected an object"},
      {"A5_tensorinfo_as_array", with_info(R"(["I32",[2,2],[0,16]])"), "expected an object"},
  };
}

std::vector<Case> size_and_offset_cases() {
  const auto sized = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return with_info(R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}");
  };
  const auto two = [](const std::string& a, const std::string& b, std::size_t bytes) {
    return with_header(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a +
                           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}",
                       std::string(bytes, '\0'));
  };
  std::string rank = "[1";
  for (int i = 0; i < 100'000; ++i) rank += ",1";
  return {
      {"52_shape_mul_overflow", sized("I32", "[4294967296,4294967296,2]", "[0,16]"), "too large"},
      {"53_bytes_mul_overflow", sized("I32", "[4611686018427387904]", "[0,16]"), "too large"},
      {"54_shape_wrap_to_4", sized("U8", "[4294967297,4294967296,4294967296,4]", "[0,4]"), "too large"},
      {"55_zero_times_overflow", sized("I32", "[4294967296,4294967296,0]", "[0,0]"), "too large"},
      {"56_zero_first_then_big", sized("I32", "[0,4294967296,4294967296]", "[0,0]"), "too large"},
      {"57_rank_100k", sized("I32", rank + "]", "[0,4]"), "more than 16 dimensions"},
      {"58_offset_len3", sized("I32", "[2,2]", "[0,16,16]"), "has 3 numbers"},
      {"59_offset_len1", sized("I32", "[2,2]", "[0]"), "has 1 numbers"},
      {"60_offset_negative", sized("I32", "[2,2]", "[-16,0]"), "a negative number"},
      {"61_offset_reversed", sized("I32", "[2,2]", "[16,0]"), "overlap or leave a hole"},
      {"62_offset_start_nonzero", sized("I32", "[2]", "[8,16]"), "overlap or leave a hole"},
      {"63_offset_past_eof", sized("I32", "[2,3]", "[0,24]"), "cut off"},
      {"64_offset_hole", two("[0,4]", "[8,12]", 12), "\"b\""},
      {"65_offset_overlap_full", two("[0,4]", "[0,4]", 4), "overlap or leave a hole"},
      {"66_offset_overlap_partial", two("[0,4]", "[2,6]", 6), "\"b\""},
      {"67_offset_float", sized("I32", "[2,2]", "[0.0,16]"), "data_offsets holds 0.0"},
      {"68_offset_u64max", sized("I32", "[2,2]", "[18446744073709551615,18446744073709551615]"), "hole"},
      {"69_size_mismatch_small", sized("I32", "[2]", "[0,16]"), "takes 8"},
      {"70_size_mismatch_big", sized("I32", "[2,2,2]", "[0,16]"), "takes 32"},
      {"71_trailing_data", with_header(kGood, kZeros + "x"), "1 bytes after the last tensor"},
      {"72_missing_data", with_header(kGood, std::string(15, '\0')), "cut off"},
      {"73_no_tensors_but_data", with_header("{}", kZeros), "belong to no tensor"},
      {"86_scalar_ok", with_info(R"({"dtype":"F32","shape":[],"data_offsets":[0,4]})", "abcd"), ""},
      {"87_zero_dim_ok", with_info(R"({"dtype":"F32","shape":[0,5],"data_offsets":[0,0]})", ""), ""},
      {"98_zero_size_same_offsets",
       with_header(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
                   R"("b":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                   ""),
       ""},
      {"99_zero_size_interior",
       with_header(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                   R"("z":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}})",
                   "abcd"),
       "overlap"},
      {"A1_total_near_u64", sized("U8", "[9223372036854775807]", "[0,9223372036854775807]"), "cut off"},
      {"A2_end_near_u64", sized("U8", "[16]", "[0,18446744073709551608]"), "takes 16"},
      {"A3_order_reversed_in_json", two("[4,8]", "[0,4]", 8), ""},
  };
}

std::vector<Case> name_and_type_cases() {
  const auto named = [](const std::string& name) { return with_header("{\"" + name + "\":" + kInfo + "}"); };
  return {
      {"74_f4", with_info(R"({"dtype":"F4","shape":[3],"data_offsets":[0,2]})", "ab"), "dtype \"F4\""},
      {"76_f6", with_info(R"({"dtype":"F6_E2M3","shape":[3],"data_offsets":[0,2]})", "ab"), "dtype \"F6_E2M3\""},
      {"77_c64", with_info(R"({"dtype":"C64","shape":[2],"data_offsets":[0,16]})"), "dtype \"C64\""},
      {"78_misaligned_header", with_header(kGood + " "), ""},
      {"79_misaligned_tensor",
       with_header(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                   R"("b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
                   "abcde"),
       ""},
      {"80_name_empty", named(""), "empty name"},
      {"81_name_nul", named("a\\u0000b"), "NUL"},
      {"82_name_path", named("../../etc/passwd"), ""},
      {"82b_name_format", named("%s%n##id"), ""},
      {"83_name_lone_surrogate_escape", named("\\ud800"), "not JSON"},
      {"84_name_1MB", named(std::string(1 << 20, 'a')), "at most 4096"},
      {"88_bool_value_2", with_info(R"({"dtype":"BOOL","shape":[2],"data_offsets":[0,2]})", "\1\2"), ""},
      {"89_nan_values", with_info(R"({"dtype":"F16","shape":[1],"data_offsets":[0,2]})", "\xff\xff"), ""},
  };
}

class BadSafetensors : public testing::TestWithParam<Case> {};

TEST_P(BadSafetensors, GetsItsOwnSentence) {
  const TempFolder folder;
  const auto path = folder.write("model.safetensors", GetParam().bytes);
  std::string message;
  std::size_t covered = 0;

  try {
    const SafetensorsFile file(path);
    for (const SafetensorsTensor& tensor : file.tensors()) {
      EXPECT_EQ(sha256_hex(tensor.bytes).size(), 64U);  // every byte that it promises can be read
      covered += tensor.bytes.size();
    }
    EXPECT_LE(covered, GetParam().bytes.size());
  } catch (const Error& error) {
    message = error.what();
  }

  if (GetParam().message.empty()) {
    EXPECT_EQ(message, "");
  } else {
    EXPECT_NE(message.find(GetParam().message), std::string::npos) << "got: " << message;
    EXPECT_NE(message.find(path.string()), std::string::npos) << "the path is missing: " << message;
    EXPECT_LT(message.size(), 10'000U);
  }
}

INSTANTIATE_TEST_SUITE_P(Lengths, BadSafetensors, testing::ValuesIn(length_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Text, BadSafetensors, testing::ValuesIn(text_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Keys, BadSafetensors, testing::ValuesIn(duplicate_and_metadata_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Schema, BadSafetensors, testing::ValuesIn(schema_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Sizes, BadSafetensors, testing::ValuesIn(size_and_offset_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Names, BadSafetensors, testing::ValuesIn(name_and_type_cases()), case_name);

TEST(SafetensorsLimits, AHeaderOfAHundredMegabytesOfSpacesOpens) {
  const TempFolder folder;
  const auto path = folder.write("a.safetensors", safetensors_bytes("{}" + std::string(99'999'998, ' '), ""));

  EXPECT_TRUE(SafetensorsFile(path).tensors().empty());
}

TEST(SafetensorsLimits, APathThatIsNoRegularFileIsRefused) {
  const TempFolder folder;

  EXPECT_THROW(SafetensorsFile(folder.path()), Error);
  EXPECT_THROW(SafetensorsFile("/dev/zero"), Error);
  EXPECT_THROW(SafetensorsFile(folder.path() / "missing"), Error);
}

}  // namespace
}  // namespace lathe
