#include <fstream>

#include "tests/corpus/bad_file.h"
#include "tests/io/byte_builder.h"

namespace lathe {
namespace {

constexpr std::optional<ErrorCode> kOpens = std::nullopt;

constexpr std::uint32_t kU16 = 2;
constexpr std::uint32_t kU32 = 4;
constexpr std::uint32_t kF32 = 6;
constexpr std::uint32_t kF32Tensor = 0;
constexpr std::uint32_t kQ8_0Tensor = 8;

using Sizes = std::vector<std::pair<std::string, std::uint32_t>>;

/// Metadata of a small model of any architecture, and its embedding.
GgufBuilder model(const std::string& architecture, const Sizes& more = {}) {
  GgufBuilder builder;
  builder.value("general.architecture", architecture);
  for (const auto& [key, value] : Sizes{{"embedding_length", 32},
                                        {"feed_forward_length", 32},
                                        {"block_count", 1},
                                        {"context_length", 64},
                                        {"attention.head_count", 4},
                                        {"attention.head_count_kv", 2}}) {
    builder.value(architecture + "." + key, kU32, value);
  }
  for (const auto& [key, value] : more) builder.value(architecture + "." + key, kU32, value);
  builder.value(architecture + ".attention.layer_norm_rms_epsilon", kF32, 1e-5F);
  return builder.tensor("token_embd.weight", {32, 3}, kQ8_0Tensor, std::string(3 * 34, '\x11'));
}

std::string zeros(std::size_t values) { return std::string(4 * values, '\0'); }

std::vector<BadFile> experts_and_latents() {
  const Sizes experts{{"expert_count", 2}, {"expert_used_count", 1}};
  const auto mixtral = [&](std::vector<std::uint64_t> dims) {
    std::size_t values = 1;
    for (const std::uint64_t dim : dims) values *= dim;
    return model("llama", experts).tensor("blk.0.ffn_up_exps.weight", std::move(dims), kF32Tensor, zeros(values));
  };
  Sizes mla{{"attention.kv_lora_rank", 8},
            {"attention.key_length_mla", 12},
            {"attention.value_length_mla", 6},
            {"rope.dimension_count", 4},
            {"expert_feed_forward_length", 32}};
  const auto latent = [&](std::vector<std::uint64_t> keys, std::vector<std::uint64_t> values) {
    return model("deepseek2", mla)
        .tensor("blk.0.attn_k_b.weight", std::move(keys), kF32Tensor, zeros(8 * 8 * 4))
        .tensor("blk.0.attn_v_b.weight", std::move(values), kF32Tensor, zeros(8 * 6 * 4))
        .bytes();
  };
  Sizes rotated = mla;
  rotated[3].second = 12;
  Sizes odd_router = mla;
  for (const auto& size : Sizes{{"expert_count", 2}, {"expert_used_count", 1}, {"expert_gating_func", 3}}) {
    odd_router.push_back(size);
  }
  const auto file = [](const std::string& name, const std::string& bytes, std::optional<ErrorCode> expected) {
    return one_file("gguf/" + name, "model.gguf", bytes, expected);
  };
  return {
      file("A0_experts_ok", mixtral({32, 32, 2}).bytes(), kOpens),
      file("A1_experts_not_stacked", mixtral({32, 32}).bytes(), ErrorCode::Config),
      file("A2_expert_twice",
           mixtral({32, 32, 2}).tensor("blk.0.ffn_up.1.weight", {32, 32}, kF32Tensor, zeros(1024)).bytes(),
           ErrorCode::DuplicateKey),
      file("A3_experts_zero", mixtral({32, 32, 0}).bytes(), ErrorCode::Config),
      file("A4_no_used_count", model("llama", {{"expert_count", 2}}).bytes(), ErrorCode::Config),
      file("A5_latents_ok", latent({8, 8, 4}, {8, 6, 4}), kOpens),
      file("A6_latents_of_other_heads", latent({8, 8, 4}, {8, 8, 3}), ErrorCode::Config),
      file("A7_latents_of_other_rank", latent({8, 8, 4}, {6, 8, 4}), ErrorCode::Config),
      file("A8_head_all_rotated", model("deepseek2", rotated).bytes(), ErrorCode::Config),
      file("A9_router_unknown", model("deepseek2", odd_router).bytes(), ErrorCode::Config),
  };
}

/// A part of a split model: what it says of itself, and whether it has the head.
struct Part {
  std::uint16_t number;
  std::uint16_t count;
  bool has_head = false;
};

std::string bytes_of(const Part& part) {
  GgufBuilder builder = part.number == 0 ? model("llama") : GgufBuilder();
  builder.value("split.no", kU16, part.number).value("split.count", kU16, part.count);
  builder.value("split.tensors.count", 5U, std::int32_t{2});
  if (part.has_head) builder.tensor("output.weight", {32, 3}, kQ8_0Tensor, std::string(3 * 34, '\x22'));
  return builder.bytes();
}

/// A split model of the files `parts`, each under its own name.
BadFile split(const std::string& name, const std::vector<std::pair<std::string, Part>>& parts,
              const std::string& opened, std::optional<ErrorCode> expected) {
  const auto write = [parts](const std::filesystem::path& folder) {
    for (const auto& [file, part] : parts) std::ofstream(folder / file, std::ios::binary) << bytes_of(part);
  };
  return {"gguf/" + name, write, opened, expected};
}

std::vector<BadFile> splits() {
  const std::string one = "m-00001-of-00002.gguf";
  const std::string two = "m-00002-of-00002.gguf";
  const Part first{.number = 0, .count = 2};
  const Part second{.number = 1, .count = 2, .has_head = true};
  return {
      split("B0_split_ok", {{one, first}, {two, second}}, one, kOpens),
      split("B1_split_opened_at_its_end", {{one, first}, {two, second}}, two, kOpens),
      split("B2_split_folder", {{one, first}, {two, second}}, "", kOpens),
      split("B3_split_part_missing", {{one, first}}, one, ErrorCode::Shard),
      split("B4_split_first_part_missing", {{two, second}}, two, ErrorCode::Shard),
      split("B5_split_wrong_count", {{one, {0, 3}}, {two, second}}, one, ErrorCode::Shard),
      split("B6_split_swapped", {{one, second}, {two, first}}, one, ErrorCode::Shard),
      split("B7_split_tensor_in_both", {{one, {0, 2, true}}, {two, second}}, one, ErrorCode::Shard),
      split("B8_split_too_few_tensors", {{one, first}, {two, {1, 2}}}, one, ErrorCode::Shard),
      split("B9_split_part_zero", {{"m-00000-of-00002.gguf", first}}, "m-00000-of-00002.gguf", ErrorCode::Shard),
      split("BA_split_99999_parts", {{"m-00001-of-99999.gguf", {0, 65535}}}, "m-00001-of-99999.gguf", ErrorCode::Shard),
  };
}

}  // namespace

std::vector<BadFile> gguf_model_corpus() {
  std::vector<BadFile> corpus = experts_and_latents();
  for (BadFile& file : splits()) corpus.push_back(std::move(file));
  return corpus;
}

}  // namespace lathe
