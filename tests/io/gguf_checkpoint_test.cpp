#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <sstream>

#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/io/dequantize.h"
#include "model/io/gguf.h"
#include "model/io/hash.h"
#include "tests/io/byte_builder.h"
#include "tests/io/default_model.h"
#include "tests/io/float_matchers.h"
#include "tests/io/reference_python.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

constexpr std::uint32_t kU32 = 4;
constexpr std::uint32_t kF32 = 6;

/// The metadata and embedding of a small llama: hidden 64, 4 heads of 16, 2 of them for keys.
GgufBuilder small_llama() {
  GgufBuilder builder;
  builder.value("general.architecture", "llama");
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::uint32_t>>{{"embedding_length", 64},
                                                                                     {"feed_forward_length", 96},
                                                                                     {"block_count", 1},
                                                                                     {"context_length", 512},
                                                                                     {"attention.head_count", 4},
                                                                                     {"attention.head_count_kv", 2}}) {
    builder.value("llama." + key, kU32, value);
  }
  builder.value("llama.attention.layer_norm_rms_epsilon", kF32, 1e-5F);
  return builder.tensor("token_embd.weight", {64, 10}, 0, std::string(64 * 10 * 4, '\0'));
}

std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

class GgufCheckpoint : public testing::Test {
 protected:
  nlohmann::json config(const GgufBuilder& builder) { return open_checkpoint(write(builder)).config_json(); }

  std::string message(const GgufBuilder& builder) {
    try {
      config(builder);
    } catch (const Error& error) {
      return error.what();
    }
    return "it opened";
  }

  std::filesystem::path write(const GgufBuilder& builder) { return folder_.write("a.gguf", builder.bytes()); }

  TempFolder folder_;
};

TEST_F(GgufCheckpoint, GivesTheConfigThatHuggingFaceWouldHave) {
  const nlohmann::json config = this->config(small_llama()
                                                 .value("llama.rope.freq_base", kF32, 500000.0F)
                                                 .value("tokenizer.ggml.bos_token_id", kU32, 1U)
                                                 .value("tokenizer.ggml.eos_token_id", kU32, 2U));

  EXPECT_EQ(config.at("model_type"), "llama");
  EXPECT_EQ(config.at("hidden_size"), 64);
  EXPECT_EQ(config.at("intermediate_size"), 96);
  EXPECT_EQ(config.at("num_hidden_layers"), 1);
  EXPECT_EQ(config.at("num_attention_heads"), 4);
  EXPECT_EQ(config.at("num_key_value_heads"), 2);
  EXPECT_EQ(config.at("head_dim"), 16);
  EXPECT_EQ(config.at("max_position_embeddings"), 512);
  EXPECT_EQ(config.at("rms_norm_eps"), 1e-5) << "the decimal that its author wrote, not the f32 nearest to it";
  EXPECT_EQ(config.at("rope_theta"), 500000.0);
  EXPECT_EQ(config.at("rope_scaling"), nullptr);
  EXPECT_EQ(config.at("vocab_size"), 10);
  EXPECT_EQ(config.at("tie_word_embeddings"), true);
  EXPECT_EQ(config.at("attention_bias"), false);
  EXPECT_EQ(config.at("bos_token_id"), 1);
  EXPECT_EQ(config.at("eos_token_id"), 2);
}

TEST_F(GgufCheckpoint, ReadsHeadSizeBiasesUntiedOutputAndSeveralEnds) {
  const nlohmann::json config = this->config(small_llama()
                                                 .value("llama.attention.key_length", kU32, 32U)
                                                 .value("llama.attention.value_length", kU32, 32U)
                                                 .value("tokenizer.ggml.eos_token_id", kU32, 2U)
                                                 .value("tokenizer.ggml.eot_token_id", kU32, 7U)
                                                 .tensor("output.weight", {64, 10}, 0, std::string(2560, '\0'))
                                                 .tensor("blk.0.attn_q.bias", {128}, 0, std::string(512, '\0'))
                                                 .tensor("blk.0.ffn_up.bias", {96}, 0, std::string(384, '\0')));

  EXPECT_EQ(config.at("head_dim"), 32);
  EXPECT_EQ(config.at("tie_word_embeddings"), false);
  EXPECT_EQ(config.at("attention_bias"), true);
  EXPECT_EQ(config.at("mlp_bias"), true);
  EXPECT_EQ(config.at("eos_token_id"), (std::vector<int>{2, 7}));
}

TEST_F(GgufCheckpoint, ReadsLinearRopeScaling) {
  const nlohmann::json expected = {{"rope_type", "linear"}, {"factor", 4.0}};

  EXPECT_EQ(
      config(small_llama().value("llama.rope.scaling.type", "linear").value("llama.rope.scaling.factor", kF32, 4.0F))
          .at("rope_scaling"),
      expected);
  EXPECT_EQ(config(small_llama().value("llama.rope.scale_linear", kF32, 4.0F)).at("rope_scaling"), expected);
}

/// The divisors that llama.cpp's converter writes for Llama 3.1, for heads of 16 and theta 500000.
std::vector<float> llama3_divisors(double factor) {
  std::vector<float> divisors;
  for (int i = 0; i < 8; ++i) {
    const double wavelength = 2 * std::numbers::pi * std::pow(500000.0, 2.0 * i / 16.0);
    const double smooth = (8192 / wavelength - 1) / 3;
    const double blended = 1 / ((1 - smooth) / factor + smooth);
    divisors.push_back(static_cast<float>(wavelength < 2048 ? 1 : wavelength > 8192 ? factor : blended));
  }
  return divisors;
}

TEST_F(GgufCheckpoint, FindsLlama3ScalingFromItsDivisors) {
  const nlohmann::json config = this->config(small_llama()
                                                 .value("llama.rope.freq_base", kF32, 500000.0F)
                                                 .tensor("rope_freqs.weight", {8}, 0, floats(llama3_divisors(32))));

  EXPECT_EQ(config.at("rope_scaling"), (nlohmann::json{{"rope_type", "llama3"},
                                                       {"factor", 32.0},
                                                       {"low_freq_factor", 1.0},
                                                       {"high_freq_factor", 4.0},
                                                       {"original_max_position_embeddings", 8192}}));
  EXPECT_EQ(open_checkpoint(folder_.path() / "a.gguf").find("rope_freqs.weight"), nullptr);
}

TEST_F(GgufCheckpoint, RefusesDivisorsThatItCannotExplain) {
  std::vector<float> divisors = llama3_divisors(8);
  divisors[4] *= 1.1F;

  EXPECT_THAT(message(small_llama()
                          .value("llama.rope.freq_base", kF32, 500000.0F)
                          .tensor("rope_freqs.weight", {8}, 0, floats(divisors))),
              HasSubstr("this scaling of RoPE is not supported"));
}

TEST_F(GgufCheckpoint, RefusesAnotherNumberOfDivisorsThanTheHeadHasPairs) {
  // Divisors of 1 explain themselves whatever their number is.
  for (const std::uint64_t count : {0, 4, 7, 9, 16}) {
    const std::vector<float> ones(count, 1.0F);
    EXPECT_THAT(message(small_llama().tensor("rope_freqs.weight", {count}, 0, floats(ones))),
                HasSubstr("expected one F32 for each of a head's pairs, [8]"))
        << count;
  }
  EXPECT_THAT(message(small_llama().tensor("rope_freqs.weight", {8}, 1, std::string(16, '\0'))),
              HasSubstr("got F16 [8]"));
}

TEST_F(GgufCheckpoint, SaysWhatItCannotRead) {
  EXPECT_THAT(message(GgufBuilder().value("general.architecture", "gemma")),
              HasSubstr("got \"gemma\", expected llama, qwen2, qwen2moe, qwen3moe, deepseek2"));
  EXPECT_THAT(message(GgufBuilder()), HasSubstr("got \"\""));
  EXPECT_THAT(message(GgufBuilder().value("general.architecture", "llama")),
              HasSubstr("attention.head_count\" is missing"));
  EXPECT_THAT(message(small_llama().value("llama.expert_count", kU32, 8U)),
              HasSubstr("expert_used_count\" is missing"));
  EXPECT_THAT(message(small_llama().value("split.count", 2, std::uint16_t{3})), HasSubstr("one part of a split model"));
  EXPECT_THAT(message(small_llama().value("llama.rope.scaling.type", "longrope")), HasSubstr("got \"longrope\""));
  EXPECT_THAT(message(small_llama().value("llama.rope.dimension_count", kU32, 8U)),
              HasSubstr("differs from the head size: got 8, expected 16"));
  EXPECT_THAT(message(small_llama().tensor("blk.0.attn_q.weight", {64, 63}, 0, std::string(64 * 63 * 4, '\0'))),
              HasSubstr("shape [63, 64] and 4 heads"));
  EXPECT_THAT(message(small_llama().tensor("blk.0.attn_k.weight", {}, 0, "abcd")), HasSubstr("shape [] and 2 heads"));
  EXPECT_THAT(message(small_llama()
                          .tensor("model.norm.weight", {64}, 0, std::string(256, '\0'))
                          .tensor("output_norm.weight", {64}, 0, std::string(256, '\0'))),
              HasSubstr("two tensors have one meaning"));
}

TEST_F(GgufCheckpoint, KeepsTheNameOfATensorThatItDoesNotKnow) {
  const Checkpoint checkpoint =
      open_checkpoint(write(small_llama().tensor("blk.0.strange.weight", {8}, 0, std::string(32, '\0'))));

  EXPECT_NE(checkpoint.find("blk.0.strange.weight"), nullptr);
}

TEST_F(GgufCheckpoint, OfAFolderIsNotWhatAKilledWriterLeftThere) {
  const fs::path file = write(small_llama());
  const fs::path left = file.parent_path() / ("." + file.filename().string() + ".tmp-99999999-0.gguf");
  fs::copy_file(file, left);

  EXPECT_EQ(open_checkpoint(file.parent_path()).format(), "GGUF");
  EXPECT_FALSE(fs::exists(left));
}

TEST_F(GgufCheckpoint, HasTheValuesThatThePythonPackageStoredInHuggingFaceOrder) {
  LATHE_NEEDS_PYTHON("gguf numpy");
  const PythonResult python = run_reference("tiny-gguf " + folder_.path().string());
  ASSERT_TRUE(python.ok) << python.output;

  const Checkpoint checkpoint = open_checkpoint(folder_.path() / "tiny.gguf");

  EXPECT_EQ(checkpoint.tensors().size(), 14U);
  EXPECT_EQ(checkpoint.config_json().at("vocab_size"), 96);
  EXPECT_THAT(*checkpoint.gguf()->strings("tokenizer.ggml.tokens"), testing::SizeIs(96));
  for (const auto& [name, entry] : checkpoint.tensors()) {
    SCOPED_TRACE(name);
    const std::vector<float> expected = floats_in(slurp(folder_.path() / (name + ".f32")));
    ASSERT_EQ(entry.num_values(), static_cast<std::int64_t>(expected.size()));
    std::vector<float> values(expected.size());
    read_rows(entry, 0, entry.num_rows(), values);
    EXPECT_TRUE(same_bits(values, expected));

    if (entry.num_rows() < 4) continue;
    const auto length = static_cast<std::size_t>(entry.row_length());
    std::vector<float> part(2 * length);
    read_rows(entry, entry.num_rows() / 2, 2, part);
    const std::size_t first = expected.size() / length / 2 * length;
    EXPECT_TRUE(same_bits(part, std::span(expected).subspan(first, part.size()))) << "rows from the middle";
  }
}

TEST(DefaultModel, EveryTensorEqualsThePythonPackages) {
  LATHE_NEEDS_PYTHON("gguf numpy");
  const std::filesystem::path path = default_model();
  if (path.empty()) GTEST_SKIP() << "the default model was not fetched";
  const PythonResult python = run_reference("gguf-hashes '" + path.string() + "'");
  ASSERT_TRUE(python.ok) << python.output;

  std::ostringstream ours;
  const GgufFile file(path);
  for (const GgufTensor& tensor : file.tensors()) {
    std::size_t count = 1;
    for (const std::int64_t dim : tensor.shape) count *= static_cast<std::size_t>(dim);
    std::vector<float> values(count);
    dequantize(tensor.type, tensor.bytes, values);
    ours << tensor.name << " " << type_name(tensor.type) << " " << sha256_hex(std::as_bytes(std::span(values))) << "\n";
  }

  EXPECT_EQ(ours.str(), python.output);
}

}  // namespace
}  // namespace lathe
