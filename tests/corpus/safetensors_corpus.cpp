#include <fstream>

#include "tests/corpus/bad_file.h"
#include "tests/io/byte_builder.h"

namespace lathe {
namespace {

/// One safetensors file. The numbers in the names are those of the probes that the reference reader was tried with.
struct Probe {
  std::string name;
  std::string bytes;
  std::optional<ErrorCode> expected;
};

constexpr std::optional<ErrorCode> kOpens = std::nullopt;

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

std::vector<Probe> length_cases() {
  return {
      {"00_ok", with_header(kGood), kOpens},
      {"01_empty_file", "", ErrorCode::Truncated},
      {"02_7bytes", std::string(7, '\0'), ErrorCode::Truncated},
      {"03_header_len_only", with_length(100), ErrorCode::Truncated},
      {"04_n_zero", with_length(0), ErrorCode::Header},
      {"05_n_zero_with_data", with_length(0, kZeros), ErrorCode::Header},
      {"06_n_gt_file", with_length(1000, kGood), ErrorCode::Truncated},
      {"07_n_100M_plus1", with_length(100'000'001, kGood), ErrorCode::Limit},
      {"08_n_100M_exact_short", with_length(100'000'000, kGood), ErrorCode::Truncated},
      {"09_n_u64max", with_length(~std::uint64_t{0}, kGood), ErrorCode::Limit},
      {"10_n_u64max_minus7", with_length(~std::uint64_t{0} - 7, kGood), ErrorCode::Limit},
      {"11_n_big_endian", with_length(__builtin_bswap64(kGood.size()), kGood), ErrorCode::Limit},
      {"90_lfs_pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", ErrorCode::LfsPointer},
      {"91_html_404", "<!DOCTYPE html><html><body>Not found</body></html>", ErrorCode::Html},
      {"92_zip_magic", "PK\x03\x04" + std::string(60, 'x'), ErrorCode::WrongFormat},
      {"93_gguf_magic", "GGUF" + std::string(60, '\3'), ErrorCode::WrongFormat},
      {"94_pickle_magic", "\x80\x02}q.", ErrorCode::WrongFormat},
      {"95_cut_off_header_of_0x280_bytes", with_length(0x280, kGood), ErrorCode::Truncated},
  };
}

std::vector<Probe> text_cases() {
  std::string utf16;
  for (const char c : kGood) utf16 += {c, '\0'};
  return {
      {"12_not_utf8", with_header("\xff\xfe{}"), ErrorCode::Utf8},
      {"13_utf8_overlong", with_header("{\"\xc0\xaf\":" + kInfo + "}"), ErrorCode::Utf8},
      {"14_utf8_surrogate_bytes", with_header("{\"\xed\xa0\x80\":" + kInfo + "}"), ErrorCode::Utf8},
      {"15_not_json", with_header("{"), ErrorCode::Json},
      {"16_json_array", with_header("[]"), ErrorCode::Schema},
      {"17_json_null", with_header("null"), ErrorCode::Schema},
      {"18_json_string", with_header(R"("abc")"), ErrorCode::Schema},
      {"19_json_trailing_garbage", with_header(kGood + "x"), ErrorCode::Json},
      {"20_json_nul_padding", with_header(kGood + std::string(4, '\0')), ErrorCode::Json},
      {"21_leading_space_header", with_header("  " + kGood), kOpens},
      {"21_trailing_space_header", with_header(kGood + "   "), kOpens},
      {"22_bom_header", with_header("\xef\xbb\xbf" + kGood), ErrorCode::Json},
      {"23_json_comments", with_header("{/*x*/\"test\":" + kInfo + "}"), ErrorCode::Json},
      {"24_json_single_quotes", with_header("{'test':1}"), ErrorCode::Json},
      {"25_json_trailing_comma", with_header(R"({"test":)" + kInfo + ",}"), ErrorCode::Json},
      {"26_deep_nest_127", with_header(nested(127)), ErrorCode::Limit},
      {"27_deep_nest_100k", with_header(nested(100'000)), ErrorCode::Limit},
      {"A7_utf16_header", with_header(utf16), ErrorCode::Json},
      {"A8_control_char_in_name", with_header("{\"a\nb\":" + kInfo + "}"), ErrorCode::Json},
      {"A9_nan_literal", with_info(R"({"dtype":"I32","shape":[NaN],"data_offsets":[0,16]})"), ErrorCode::Json},
  };
}

std::vector<Probe> duplicate_and_metadata_cases() {
  const std::string other = R"({"dtype":"F32","shape":[4],"data_offsets":[0,16]})";
  return {
      {"28_dup_tensor_same", with_header(R"({"test":)" + kInfo + R"(,"test":)" + kInfo + "}"), ErrorCode::DuplicateKey},
      {"29_dup_tensor_diff_dtype", with_header(R"({"test":)" + kInfo + R"(,"test":)" + other + "}"),
       ErrorCode::DuplicateKey},
      {"29b_dup_by_escape", with_header(R"({"test":)" + kInfo + R"(,"t\u0065st":)" + other + "}"),
       ErrorCode::DuplicateKey},
      {"30_dup_metadata", with_header(R"({"__metadata__":{},"__metadata__":{},"test":)" + kInfo + "}"),
       ErrorCode::DuplicateKey},
      {"31_dup_metadata_key", with_header(R"({"__metadata__":{"a":"1","a":"2"},"test":)" + kInfo + "}"),
       ErrorCode::DuplicateKey},
      {"32_dup_field_in_tensor", with_info(R"({"dtype":"I32","dtype":"I32","shape":[2,2],"data_offsets":[0,16]})"),
       ErrorCode::DuplicateKey},
      {"33_metadata_nonstring", with_header(R"({"__metadata__":{"a":1},"test":)" + kInfo + "}"), ErrorCode::Schema},
      {"34_metadata_nested", with_header(R"({"__metadata__":{"a":{}},"test":)" + kInfo + "}"), ErrorCode::Schema},
      {"35_metadata_null", with_header(R"({"__metadata__":null,"test":)" + kInfo + "}"), kOpens},
      {"36_metadata_array", with_header(R"({"__metadata__":[],"test":)" + kInfo + "}"), ErrorCode::Schema},
      {"37_metadata_only", with_header(R"({"__metadata__":{"a":"b"}})", ""), kOpens},
      {"85_name_metadata_as_tensor", with_header(R"({"__metadata__":)" + kInfo + "}"), ErrorCode::Schema},
      {"A6_metadata_after", with_header(R"({"test":)" + kInfo + R"(,"__metadata__":{"a":"b"}})"), kOpens},
  };
}

std::vector<Probe> schema_cases() {
  const auto shape = [](const std::string& value) {
    return with_info(R"({"dtype":"I32","shape":)" + value + R"(,"data_offsets":[0,16]})");
  };
  const auto dtype = [](const std::string& value) {
    return with_info(R"({"dtype":)" + value + R"(,"shape":[2,2],"data_offsets":[0,16]})");
  };
  return {
      {"38_missing_dtype", with_info(R"({"shape":[2,2],"data_offsets":[0,16]})"), ErrorCode::Schema},
      {"39_missing_shape", with_info(R"({"dtype":"I32","data_offsets":[0,16]})"), ErrorCode::Schema},
      {"40_missing_offsets", with_info(R"({"dtype":"I32","shape":[2,2]})"), ErrorCode::Schema},
      {"41_extra_field", with_info(R"({"dtype":"I32","shape":[2,2],"data_offsets":[0,16],"x":[{"y":[1]}]})"), kOpens},
      {"42_unknown_dtype", dtype(R"("Q4_K")"), ErrorCode::Dtype},
      {"43_lowercase_dtype", dtype(R"("i32")"), ErrorCode::Dtype},
      {"44_dtype_number", dtype("3"), ErrorCode::Schema},
      {"44b_dtype_object", dtype("{}"), ErrorCode::Schema},
      {"45_shape_negative", shape("[-2,2]"), ErrorCode::Schema},
      {"46_shape_float", shape("[2.0,2]"), ErrorCode::Schema},
      {"47_shape_exp", shape("[2e0,2]"), ErrorCode::Schema},
      {"48_shape_string", shape(R"(["2",2])"), ErrorCode::Schema},
      {"49_shape_gt_u64", shape("[18446744073709551616]"), ErrorCode::Schema},
      {"49b_shape_gt_i64", shape("[9223372036854775808]"), ErrorCode::Overflow},
      {"50_shape_null", shape("null"), ErrorCode::Schema},
      {"51_shape_bool", shape("[true,2]"), ErrorCode::Schema},
      {"51b_shape_nested", shape("[[2],2]"), ErrorCode::Schema},
      {"95_number_leading_zero", shape("[02,2]"), ErrorCode::Json},
      {"96_number_plus", shape("[+2,2]"), ErrorCode::Json},
      {"97_number_minus_zero", shape("[-0,2]"), ErrorCode::Schema},
      {"A4_value_is_string", with_info(R"("abc")"), ErrorCode::Schema},
      {"A5_tensorinfo_as_array", with_info(R"(["I32",[2,2],[0,16]])"), ErrorCode::Schema},
  };
}

std::vector<Probe> size_and_offset_cases() {
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
      {"52_shape_mul_overflow", sized("I32", "[4294967296,4294967296,2]", "[0,16]"), ErrorCode::Overflow},
      {"53_bytes_mul_overflow", sized("I32", "[4611686018427387904]", "[0,16]"), ErrorCode::Overflow},
      {"54_shape_wrap_to_4", sized("U8", "[4294967297,4294967296,4294967296,4]", "[0,4]"), ErrorCode::Overflow},
      {"55_zero_times_overflow", sized("I32", "[4294967296,4294967296,0]", "[0,0]"), ErrorCode::Overflow},
      {"56_zero_first_then_big", sized("I32", "[0,4294967296,4294967296]", "[0,0]"), ErrorCode::Overflow},
      {"57_rank_100k", sized("I32", rank + "]", "[0,4]"), ErrorCode::Limit},
      {"58_offset_len3", sized("I32", "[2,2]", "[0,16,16]"), ErrorCode::Schema},
      {"59_offset_len1", sized("I32", "[2,2]", "[0]"), ErrorCode::Schema},
      {"60_offset_negative", sized("I32", "[2,2]", "[-16,0]"), ErrorCode::Schema},
      {"61_offset_reversed", sized("I32", "[2,2]", "[16,0]"), ErrorCode::Offsets},
      {"62_offset_start_nonzero", sized("I32", "[2]", "[8,16]"), ErrorCode::Offsets},
      {"63_offset_past_eof", sized("I32", "[2,3]", "[0,24]"), ErrorCode::Truncated},
      {"64_offset_hole", two("[0,4]", "[8,12]", 12), ErrorCode::Offsets},
      {"65_offset_overlap_full", two("[0,4]", "[0,4]", 4), ErrorCode::Offsets},
      {"66_offset_overlap_partial", two("[0,4]", "[2,6]", 6), ErrorCode::Offsets},
      {"67_offset_float", sized("I32", "[2,2]", "[0.0,16]"), ErrorCode::Schema},
      {"68_offset_u64max", sized("I32", "[2,2]", "[18446744073709551615,18446744073709551615]"), ErrorCode::Offsets},
      {"69_size_mismatch_small", sized("I32", "[2]", "[0,16]"), ErrorCode::Size},
      {"70_size_mismatch_big", sized("I32", "[2,2,2]", "[0,16]"), ErrorCode::Size},
      {"71_trailing_data", with_header(kGood, kZeros + "x"), ErrorCode::Trailing},
      {"72_missing_data", with_header(kGood, std::string(15, '\0')), ErrorCode::Truncated},
      {"73_no_tensors_but_data", with_header("{}", kZeros), ErrorCode::Trailing},
      {"86_scalar_ok", with_info(R"({"dtype":"F32","shape":[],"data_offsets":[0,4]})", "abcd"), kOpens},
      {"87_zero_dim_ok", with_info(R"({"dtype":"F32","shape":[0,5],"data_offsets":[0,0]})", ""), kOpens},
      {"98_zero_size_same_offsets",
       with_header(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
                   R"("b":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                   ""),
       kOpens},
      {"99_zero_size_interior",
       with_header(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                   R"("z":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}})",
                   "abcd"),
       ErrorCode::Offsets},
      {"A1_total_near_u64", sized("U8", "[9223372036854775807]", "[0,9223372036854775807]"), ErrorCode::Truncated},
      {"A2_end_near_u64", sized("U8", "[16]", "[0,18446744073709551608]"), ErrorCode::Size},
      {"A3_order_reversed_in_json", two("[4,8]", "[0,4]", 8), kOpens},
  };
}

std::vector<Probe> name_and_type_cases() {
  const auto named = [](const std::string& name) { return with_header("{\"" + name + "\":" + kInfo + "}"); };
  return {
      {"74_f4", with_info(R"({"dtype":"F4","shape":[3],"data_offsets":[0,2]})", "ab"), ErrorCode::Dtype},
      {"76_f6", with_info(R"({"dtype":"F6_E2M3","shape":[3],"data_offsets":[0,2]})", "ab"), ErrorCode::Dtype},
      {"77_c64", with_info(R"({"dtype":"C64","shape":[2],"data_offsets":[0,16]})"), ErrorCode::Dtype},
      {"78_misaligned_header", with_header(kGood + " "), kOpens},
      {"79_misaligned_tensor",
       with_header(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                   R"("b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
                   "abcde"),
       kOpens},
      {"80_name_empty", named(""), ErrorCode::Name},
      {"81_name_nul", named("a\\u0000b"), ErrorCode::Name},
      {"82_name_path", named("../../etc/passwd"), kOpens},
      {"82b_name_format", named("%s%n##id"), kOpens},
      {"83_name_lone_surrogate_escape", named("\\ud800"), ErrorCode::Json},
      {"84_name_1MB", named(std::string(1 << 20, 'a')), ErrorCode::Name},
      {"88_bool_value_2", with_info(R"({"dtype":"BOOL","shape":[2],"data_offsets":[0,2]})", "\1\2"), kOpens},
      {"89_nan_values", with_info(R"({"dtype":"F16","shape":[1],"data_offsets":[0,2]})", "\xff\xff"), kOpens},
  };
}

BadFile with_config(const Probe& probe) {
  BadFile file = one_file("safetensors/" + probe.name, "model.safetensors", probe.bytes, probe.expected);
  file.write = [weights = std::move(file.write)](const std::filesystem::path& folder) {
    weights(folder);
    std::ofstream(folder / "config.json") << R"({"model_type":"llama","vocab_size":32,"hidden_size":16,)"
                                             R"("intermediate_size":32,"num_hidden_layers":1,"num_attention_heads":4})";
  };
  return file;
}

}  // namespace

std::vector<BadFile> safetensors_corpus() {
  std::vector<BadFile> corpus;
  for (const auto& probes : {length_cases(), text_cases(), duplicate_and_metadata_cases(), schema_cases(),
                             size_and_offset_cases(), name_and_type_cases()}) {
    for (const Probe& probe : probes) corpus.push_back(with_config(probe));
  }
  return corpus;
}

}  // namespace lathe
