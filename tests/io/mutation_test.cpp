#include <gtest/gtest.h>

#include <random>

#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/io/model_folder.h"
#include "tests/io/byte_builder.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

constexpr int kMutants = 100'000;

/// One to four random edits: another byte, a flipped bit, a cut, a repeated or removed piece.
std::string mutant(std::string bytes, std::mt19937& random) {
  const auto below = [&](std::size_t limit) { return random() % limit; };
  for (std::size_t edits = 1 + below(4); edits > 0 && !bytes.empty(); --edits) {
    const std::size_t at = below(bytes.size());
    switch (below(6)) {
      case 0:
        bytes[at] = static_cast<char>(below(256));
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 2:
        bytes[at] = below(2) ? '\xFF' : '\0';
        break;
      case 3:
        bytes.resize(at);
        break;
      case 4:
        bytes.insert(at, bytes.substr(at, below(16)));
        break;
      default:
        bytes.erase(at, 1 + below(16));
    }
  }
  return bytes;
}

/// Opens the path and reads every tensor. Either that works or it is an Error: anything else ends the test program.
bool opens(const std::filesystem::path& path) {
  try {
    const Checkpoint checkpoint = open_checkpoint(path);
    for (const auto& [name, entry] : checkpoint.tensors()) {
      std::vector<float> values(static_cast<std::size_t>(entry.num_values()));
      read_rows(entry, 0, entry.num_rows(), values);
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

void expect_mutants_end_well(const TempFolder& folder, const std::string& name) {
  const std::string original = slurp(folder.path() / name);
  ASSERT_TRUE(opens(folder.path()));
  std::mt19937 random(20);
  int opened = 0;
  for (int i = 0; i < kMutants; ++i) {
    folder.write(name, mutant(original, random));
    opened += opens(folder.path());
  }
  EXPECT_GT(opened, 0) << "no mutant opened: the edits are too coarse to reach the data";
  EXPECT_LT(opened, kMutants) << "every mutant opened: nothing is checked";
}

void write_small_folder(const TempFolder& folder) {
  folder.write("config.json", R"({"model_type":"llama"})");
  const std::string data(24, '\x3c');
  const auto bytes = [&data](std::size_t size) {
    return [&data, size] { return std::as_bytes(std::span(data)).first(size); };
  };
  const std::vector<TensorSource> tensors{{"w", DType::F32, {2, 3}, bytes(24)}, {"b", DType::BF16, {4}, bytes(8)}};
  write_safetensors(folder.path() / "model-00001-of-00001.safetensors", tensors);
  folder.write("model.safetensors.index.json",
               R"({"weight_map":{"w":"model-00001-of-00001.safetensors","b":"model-00001-of-00001.safetensors"}})");
}

TEST(Mutants, OfASafetensorsFileOpenOrAreRefused) {
  const TempFolder folder;
  write_small_folder(folder);

  expect_mutants_end_well(folder, "model-00001-of-00001.safetensors");
}

TEST(Mutants, OfAnIndexOpenOrAreRefused) {
  const TempFolder folder;
  write_small_folder(folder);

  expect_mutants_end_well(folder, "model.safetensors.index.json");
}

TEST(Mutants, OfAGgufFileOpenOrAreRefused) {
  const TempFolder folder;
  std::string tokens;
  for (const char* token : {"a", "b", "</s>"}) GgufBuilder::string(tokens, token);
  GgufBuilder builder;
  builder.value("general.architecture", "llama").array("tokenizer.ggml.tokens", 8, 3, tokens);
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::uint32_t>>{{"embedding_length", 32},
                                                                                     {"feed_forward_length", 32},
                                                                                     {"block_count", 1},
                                                                                     {"context_length", 64},
                                                                                     {"attention.head_count", 4},
                                                                                     {"attention.head_count_kv", 2}}) {
    builder.value("llama." + key, 4, value);
  }
  builder.value("llama.attention.layer_norm_rms_epsilon", 6, 1e-5F);
  builder.tensor("token_embd.weight", {32, 3}, 8, std::string(3 * 34, '\x11'));
  builder.tensor("blk.0.attn_q.weight", {32, 32}, 2, std::string(32 * 18, '\x22'));
  builder.tensor("blk.0.attn_k.bias", {16}, 0, std::string(64, '\x3c'));
  folder.write("model.gguf", builder.bytes());

  expect_mutants_end_well(folder, "model.gguf");
}

}  // namespace
}  // namespace lathe
