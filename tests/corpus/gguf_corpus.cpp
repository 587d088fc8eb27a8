#include "tests/corpus/bad_file.h"
#include "tests/io/byte_builder.h"

namespace lathe {
namespace {

/// One GGUF file. The numbers in the names are those of the probes that ggml's reader was tried with.
struct Probe {
  std::string name;
  std::string bytes;
  std::optional<ErrorCode> expected;
};

constexpr std::optional<ErrorCode> kOpens = std::nullopt;

constexpr std::uint32_t kU8 = 0;
constexpr std::uint32_t kU16 = 2;
constexpr std::uint32_t kU32 = 4;
constexpr std::uint32_t kI32 = 5;
constexpr std::uint32_t kF32 = 6;
constexpr std::uint32_t kBool = 7;
constexpr std::uint32_t kString = 8;
constexpr std::uint32_t kArray = 9;
constexpr std::uint32_t kU64 = 10;
constexpr std::uint32_t kF32Tensor = 0;
constexpr std::uint32_t kQ4_0Tensor = 2;
constexpr std::uint32_t kQ8_0Tensor = 8;
constexpr std::uint32_t kQ4_KTensor = 12;
constexpr std::uint64_t kMax64 = ~std::uint64_t{0};

const std::string kData(32, '\1');

/// A good file: one string value, one tensor of 8 f32.
GgufBuilder good(std::uint32_t version = 3) {
  GgufBuilder builder(version);
  return builder.value("general.architecture", "llama").tensor("a", {8}, kF32Tensor, kData);
}

/// Turns an empty file into a whole small model of one layer.
GgufBuilder& fill(GgufBuilder& builder) {
  builder.value("general.architecture", "llama");
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::uint32_t>>{{"embedding_length", 32},
                                                                                     {"feed_forward_length", 32},
                                                                                     {"block_count", 1},
                                                                                     {"context_length", 64},
                                                                                     {"attention.head_count", 4},
                                                                                     {"attention.head_count_kv", 2}}) {
    builder.value("llama." + key, kU32, value);
  }
  builder.value("llama.attention.layer_norm_rms_epsilon", kF32, 1e-5F);
  builder.tensor("token_embd.weight", {32, 3}, kQ8_0Tensor, std::string(3 * 34, '\x11'));
  builder.tensor("blk.0.attn_q.weight", {32, 32}, kQ4_0Tensor, std::string(32 * 18, '\x22'));
  return builder.tensor("output_norm.weight", {7}, kF32Tensor, std::string(28, '\0'));
}

GgufBuilder model(std::uint32_t version = 3) {
  GgufBuilder builder(version);
  return fill(builder);
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

/// A tensor of 2^32 - 1 dimensions.
std::string ndims_max() {
  std::string info;
  GgufBuilder::string(info, "a");
  append<std::uint32_t>(info, 0xFFFFFFFF);
  GgufBuilder builder;
  builder.raw_value(info + kData);
  builder.num_values = 0;
  builder.num_tensors = 1;
  return builder.bytes();
}

std::vector<Probe> header_cases() {
  return {
      {"00_ok", model().bytes(), kOpens},
      {"01_empty", "", ErrorCode::Truncated},
      {"02_magic_only", "GGUF", ErrorCode::Truncated},
      {"03_bad_magic", "FUGG" + good().bytes().substr(4), ErrorCode::WrongFormat},
      {"04_ggml_old_magic", "lmgg" + good().bytes().substr(4), ErrorCode::WrongFormat},
      {"05_version0", good(0).bytes(), ErrorCode::Version},
      {"06_version1", good(1).bytes(), ErrorCode::Version},
      {"07_version2_ok", model(2).bytes(), kOpens},
      {"08_version4", good(4).bytes(), ErrorCode::Version},
      {"09_version_bigendian", good(0x03000000).bytes(), ErrorCode::Endian},
      {"10_version_max", good(0xFFFFFFFF).bytes(), ErrorCode::Version},
      {"11_ntensors_neg1", with_counts(kMax64, 1), ErrorCode::Truncated},
      {"12_nkv_neg1", with_counts(1, kMax64), ErrorCode::Truncated},
      {"13_ntensors_huge", with_counts(std::uint64_t{1} << 40, 1), ErrorCode::Truncated},
      {"14_nkv_huge", with_counts(1, std::uint64_t{1} << 40), ErrorCode::Truncated},
      {"15_ntensors_2_but_1", with_counts(2, 1), ErrorCode::Name},
      {"16_nkv_2_but_1", with_counts(1, 2), ErrorCode::Name},
      {"17_truncated_in_header", good().bytes().substr(0, 20), ErrorCode::Truncated},
      {"84_no_tensors", GgufBuilder().bytes(), ErrorCode::Config},
      {"89_truncated_in_tensor_info", good().bytes().substr(0, 80), ErrorCode::Truncated},
      {"90_safetensors_as_gguf", safetensors_bytes(R"({"a":1})", ""), ErrorCode::WrongFormat},
      {"91_lfs", "version https://git-lfs.github.com/spec/v1\n", ErrorCode::LfsPointer},
  };
}

std::vector<Probe> key_and_value_cases() {
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
      {"18_key_len_u64max", GgufBuilder().raw_value(number(kMax64) + kData).bytes(), ErrorCode::Truncated},
      {"19_key_len_2g", GgufBuilder().raw_value(number(std::uint64_t{1} << 31) + kData).bytes(), ErrorCode::Truncated},
      {"20_key_empty", with_key(""), ErrorCode::Name},
      {"21_key_dup", GgufBuilder().value("k", kU8, '\1').value("k", kU8, '\1').bytes(), ErrorCode::DuplicateKey},
      {"22_key_nul", with_key(std::string("a\0b", 3)), ErrorCode::Name},
      {"23_key_not_ascii", with_key("\xc3\xa4"), ErrorCode::Name},
      {"24_key_70000", with_key(long_key), ErrorCode::Limit},
      {"25_type_13", with_raw(13, kData), ErrorCode::Schema},
      {"26_type_max", with_raw(0xFFFFFFFF, kData), ErrorCode::Schema},
      {"27_str_len_past_eof", with_raw(kString, number(1000) + kData), ErrorCode::Truncated},
      {"28_str_len_u64max", with_raw(kString, number(kMax64) + kData), ErrorCode::Truncated},
      {"29_str_not_utf8", model().value("k", "\xff\xfe").bytes(), kOpens},
      {"30_arr_nested", with_raw(kArray, nested + kData), ErrorCode::Schema},
      {"31_arr_nested_deep", with_raw(kArray, deep), ErrorCode::Schema},
      {"32_arr_len_u64max", array(kU8, kMax64), ErrorCode::Truncated},
      {"33_arr_len_2p62", array(kU32, std::uint64_t{1} << 62), ErrorCode::Truncated},
      {"34_arr_len_2p30", array(kU8, std::uint64_t{1} << 30), ErrorCode::Truncated},
      {"35_arr_str_count_2p61", array(kString, std::uint64_t{1} << 61), ErrorCode::Truncated},
      {"36_arr_past_eof", array(kU64, 100, kData), ErrorCode::Truncated},
      {"36b_arr_str_past_eof", array(kString, 2, number(1) + "x" + number(99)), ErrorCode::Truncated},
      {"37_arr_type_bad", array(99, 1, kData), ErrorCode::Schema},
      {"38_arr_empty", model().array("k", kString, 0, "").bytes(), kOpens},
      {"39_bool_2", GgufBuilder().value("k", kBool, std::uint8_t{2}).bytes(), ErrorCode::Schema},
      {"39b_bool_in_array", array(kBool, 1, "\2"), ErrorCode::Schema},
  };
}

std::vector<Probe> alignment_cases() {
  const auto aligned = [](std::uint32_t alignment) {
    GgufBuilder builder;
    builder.alignment = alignment;
    return fill(builder).value("general.alignment", kU32, alignment).bytes();
  };
  const auto typed = [](std::uint32_t type, auto value) {
    return GgufBuilder().value("general.alignment", type, value).tensor("a", {8}, kF32Tensor, kData).bytes();
  };
  const auto u32 = [&](std::uint32_t value) { return typed(kU32, value); };
  return {
      {"40_align0", u32(0), ErrorCode::Alignment},
      {"41_align13", u32(13), ErrorCode::Alignment},
      {"42_align1", aligned(1), kOpens},
      {"42b_align64", aligned(64), kOpens},
      {"43_align_2p31", u32(std::uint32_t{1} << 31), ErrorCode::Alignment},
      {"44_align_int32", typed(kI32, std::int32_t{32}), ErrorCode::Schema},
      {"45_align_u64", typed(kU64, std::uint64_t{32}), ErrorCode::Schema},
      {"46_align_string", GgufBuilder().value("general.alignment", "32").bytes(), ErrorCode::Schema},
      {"47_align_array", GgufBuilder().array("general.alignment", kU32, 1, "abcd").bytes(), ErrorCode::Schema},
      {"47b_align_array_empty", GgufBuilder().array("general.alignment", kU32, 0, "").bytes(), ErrorCode::Schema},
  };
}

std::vector<Probe> tensor_cases() {
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
      {"48_name_empty", named(""), ErrorCode::Name},
      {"49_name_63", model().tensor(std::string(63, 'n'), {8}, kF32Tensor, kData).bytes(), kOpens},
      {"50_name_64", named(std::string(64, 'n')), ErrorCode::Name},
      {"51_name_dup", twice("a"), ErrorCode::DuplicateKey},
      {"52_name_dup_via_nul", twice(std::string("a\0b", 3)), ErrorCode::Name},
      {"53_name_huge", long_name.bytes(), ErrorCode::Truncated},
      {"54_ndims0", model().tensor("a", {}, kF32Tensor, "abcd").bytes(), kOpens},
      {"55_ndims5", with_dims({1, 1, 1, 1, 8}), ErrorCode::Limit},
      {"57_dim_neg", with_dims({kMax64}), ErrorCode::Overflow},
      {"58_dim_zero", model().tensor("a", {8, 0}, kF32Tensor, "").bytes(), kOpens},
      {"59_dim0_zero_first", model().tensor("a", {0, 8}, kF32Tensor, "").bytes(), kOpens},
      {"60_ne_overflow", with_dims({8589934588, 8589934588}), ErrorCode::Overflow},
      {"61_ne_wrap_zero_2p32x2p32", with_dims({k2p32, k2p32}), ErrorCode::Overflow},
      {"62_ne_wrap_small", with_dims({k2p32 + 1, k2p32}), ErrorCode::Overflow},
      {"63_ne_wrap_4d", with_dims({65536, 65536, 65536, 65536}), ErrorCode::Overflow},
      {"64_nbytes_overflow_i64", with_dims({std::uint64_t{1} << 61}), ErrorCode::Overflow},
      {"65_dim_2p62_f32", with_dims({std::uint64_t{1} << 62}), ErrorCode::Overflow},
      {"66_dim_2p42p1", with_dims({8, (std::uint64_t{1} << 42) + 1}), ErrorCode::Truncated},
      {"67_type_neg", with_dims({8}, 0xFFFFFFFF), ErrorCode::Dtype},
      {"68_type_99", with_dims({8}, 99), ErrorCode::Dtype},
      {"69_type_removed_4", with_dims({32}, 4), ErrorCode::Dtype},
      {"70_type_removed_31", with_dims({32}, 31), ErrorCode::Dtype},
      {"71_type_q8_1_internal", with_dims({32}, 9), ErrorCode::Dtype},
      {"72_q4_0_row31", with_dims({31}, kQ4_0Tensor), ErrorCode::Size},
      {"73_q4_K_row128", with_dims({128}, kQ4_KTensor), ErrorCode::Size},
  };
}

std::vector<Probe> data_cases() {
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
      {"74_off_neg1", at(kMax64, 32), ErrorCode::Alignment},
      {"75_off_unaligned", at(4, 32), ErrorCode::Alignment},
      {"76_off_hole", at(0, 64), ErrorCode::Offsets},
      {"77_off_overlap", at(0, 0), ErrorCode::Offsets},
      {"78_off_past_eof", with_dims({16}), ErrorCode::Truncated},
      {"79_off_swapped", at(32, 0), ErrorCode::Offsets},
      {"80_data_short_by1", file.substr(0, file.size() - 1), ErrorCode::Truncated},
      {"81_data_missing", file.substr(0, file.size() - 32), ErrorCode::Truncated},
      {"81b_cut_in_padding_before_data", file.substr(0, file.size() - 33), ErrorCode::Truncated},
      {"82_trailing", model().bytes() + "xyz", kOpens},
      {"83_no_final_pad", model().bytes().substr(0, model().bytes().size() - 4), kOpens},
      {"83b_short_of_no_final_pad", short_data(std::string(27, '\1')), ErrorCode::Truncated},
  };
}

/// A whole model with one of its metadata values changed, or a tensor more.
std::vector<Probe> model_cases() {
  const auto with = [](std::string_view key, std::uint32_t type, auto value) {
    GgufBuilder builder;
    builder.value("general.architecture", "llama");
    for (const auto& [name, number] :
         std::vector<std::pair<std::string, std::uint32_t>>{{"embedding_length", 32},
                                                            {"feed_forward_length", 32},
                                                            {"block_count", 1},
                                                            {"context_length", 64},
                                                            {"attention.head_count", 4},
                                                            {"attention.head_count_kv", 2}}) {
      if (key != "llama." + name) builder.value("llama." + name, kU32, number);
    }
    builder.value("llama.attention.layer_norm_rms_epsilon", kF32, 1e-5F).value(key, type, value);
    builder.tensor("token_embd.weight", {32, 3}, kQ8_0Tensor, std::string(3 * 34, '\x11'));
    return builder.tensor("blk.0.attn_q.weight", {32, 32}, kQ4_0Tensor, std::string(32 * 18, '\x22')).bytes();
  };
  GgufBuilder foreign;
  foreign.value("general.architecture", "mamba").tensor("token_embd.weight", {8}, kF32Tensor, kData);
  GgufBuilder split = model();
  split.value("split.count", kU16, std::uint16_t{3});
  return {
      {"92_block_count_float", with("llama.block_count", kF32, 1.5F), ErrorCode::Schema},
      {"93_block_count_string", with("llama.block_count", kString, std::uint64_t{0}), ErrorCode::Schema},
      {"94_head_count_0", with("llama.attention.head_count", kU32, std::uint32_t{0}), ErrorCode::Config},
      {"95_head_count_not_dividing", with("llama.attention.head_count", kU32, std::uint32_t{5}), ErrorCode::Config},
      {"96_head_count_u64max", with("llama.attention.head_count", kU64, kMax64), ErrorCode::Overflow},
      {"97_context_bool", with("llama.context_length", kBool, std::uint8_t{1}), ErrorCode::Schema},
      {"98_architecture_unknown", foreign.bytes(), ErrorCode::Config},
      {"99_split_part_alone", split.bytes(), ErrorCode::Shard},
      {"9A_two_names_for_one",
       model().tensor("lm_head.weight", {8}, kF32Tensor, kData).tensor("output.weight", {8}, kF32Tensor, kData).bytes(),
       ErrorCode::DuplicateKey},
      {"9B_q_rows_odd", model().tensor("blk.1.attn_q.weight", {8, 3}, kF32Tensor, kData + kData + kData).bytes(),
       ErrorCode::Config},
      {"9C_rope_freqs_wrong", model().tensor("rope_freqs.weight", {8}, kF32Tensor, kData).bytes(), ErrorCode::Config},
      {"9D_nan_scale", model().tensor("a", {32}, kQ8_0Tensor, "\xff\xff" + std::string(32, '\1')).bytes(), kOpens},
      {"9E_inf_value", model().tensor("a", {1}, kF32Tensor, std::string("\0\0\x80\x7f", 4)).bytes(), kOpens},
      {"9F_ndims_max", ndims_max(), ErrorCode::Limit},
  };
}

}  // namespace

std::vector<BadFile> gguf_corpus() {
  std::vector<BadFile> corpus;
  for (const auto& probes :
       {header_cases(), key_and_value_cases(), alignment_cases(), tensor_cases(), data_cases(), model_cases()}) {
    for (const Probe& probe : probes) {
      corpus.push_back(one_file("gguf/" + probe.name, "model.gguf", probe.bytes, probe.expected));
    }
  }
  return corpus;
}

}  // namespace lathe
