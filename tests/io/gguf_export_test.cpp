#include "model/io/gguf_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "model/io/checkpoint.h"
#include "model/io/gguf.h"
#include "tests/io/float_matchers.h"
#include "tests/io/reference_python.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// Tiny random models of every family, as transformers saved them; made once for all tests.
class GgufExport : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!why_no_python("transformers torch safetensors gguf").empty()) return;
    folder_ = new TempFolder;
    const std::string out = folder_->path().string();
    const ProgramResult made =
        run_program("OMP_NUM_THREADS=1 '" LATHE_PYTHON "' '" LATHE_SOURCE_DIR "/tests/nn/make_families.py' '" + out +
                    "' 2>'" + out + "/log'");
    ASSERT_EQ(made.status, 0) << "see " << out << "/log";
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  void SetUp() override { LATHE_NEEDS_PYTHON("transformers torch safetensors gguf"); }

  static Checkpoint family(const std::string& name) { return open_checkpoint(folder_->path() / name); }
  static fs::path out(const std::string& name) { return folder_->path() / (name + ".gguf"); }

 private:
  static inline TempFolder* folder_ = nullptr;
};

GgufModel model_of(const Checkpoint& checkpoint, StoredType type) {
  GgufModel model{
      .name = "a", .config = config_from_json(checkpoint.config_json()), .tensors = {}, .tokenizer = {}, .type = type};
  for (const auto& [name, entry] : checkpoint.tensors()) {
    model.tensors.push_back(
        {name, entry.shape, [&entry](std::int64_t first, std::int64_t count, std::span<float> values) {
           read_rows(entry, first, count, values);
         }});
  }
  return model;
}

std::vector<float> values_of(const TensorEntry& entry) {
  std::vector<float> values(static_cast<std::size_t>(entry.num_values()));
  read_rows(entry, 0, entry.num_rows(), values);
  return values;
}

TEST_F(GgufExport, ComesBackWithTheSameConfigAndValues) {
  for (const char* name : {"llama", "llama_yarn", "mistral", "qwen2", "mixtral", "deepseek_v3", "glm4_moe_lite"}) {
    SCOPED_TRACE(name);
    const Checkpoint original = family(name);
    write_gguf_model(out(name), model_of(original, DType::F32));
    const Checkpoint read = open_checkpoint(out(name));

    ModelConfig config = config_from_json(read.config_json());
    const ModelConfig expected = config_from_json(original.config_json());
    config.bos_token_id = expected.bos_token_id;  // these two are the tokenizer's
    config.eos_token_ids = expected.eos_token_ids;
    EXPECT_EQ(config_to_json(config), config_to_json(expected));
    EXPECT_EQ(read.tensors().size(), original.tensors().size());
    for (const auto& [tensor, entry] : original.tensors()) {
      const TensorEntry* found = read.find(tensor);
      ASSERT_NE(found, nullptr) << tensor;
      EXPECT_EQ(found->shape, entry.shape) << tensor;
      EXPECT_TRUE(same_bits(values_of(*found), values_of(entry))) << tensor;
    }
  }
}

TEST_F(GgufExport, IsWhatLlamaCppsNamesAndOrderWant) {
  for (const char* name : {"llama", "qwen2", "mixtral", "deepseek_v3"}) {
    SCOPED_TRACE(name);
    const Checkpoint original = family(name);
    write_gguf_model(out(name), model_of(original, DType::F32));

    const PythonResult python =
        run_reference("check-export '" + out(name).string() + "' '" + original.path().string() + "'");

    EXPECT_TRUE(python.ok) << python.output;
  }
}

TEST_F(GgufExport, StoresMatricesInTheTypeAskedForWhereTheyFit) {
  const Checkpoint original = family("llama");
  for (const StoredType type : {StoredType(DType::BF16), StoredType(QuantType::Q8_0), StoredType(QuantType::Q4_0)}) {
    const WrittenFile first = write_gguf_model(out("typed"), model_of(original, type));
    EXPECT_EQ(write_gguf_model(out("typed"), model_of(original, type)).sha256, first.sha256);

    const Checkpoint read = open_checkpoint(out("typed"));
    const bool is_q4 = type == StoredType(QuantType::Q4_0);
    EXPECT_EQ(read.at("model.layers.0.mlp.gate_proj.weight").type, type);
    EXPECT_EQ(read.at("model.layers.0.mlp.down_proj.weight").type,  // rows of 24
              type == StoredType(DType::BF16) ? type : StoredType(DType::F16));
    EXPECT_EQ(read.at("lm_head.weight").type, is_q4 ? StoredType(QuantType::Q8_0) : type);
    EXPECT_EQ(read.at("model.norm.weight").type, StoredType(DType::F32));
  }
}

TEST_F(GgufExport, SaysWhyLlamaCppCannotRunAModel) {
  const std::map<std::string, std::string> reasons{{"mistral_window", "sliding window"},
                                                   {"qwen2_window", "sliding window"},
                                                   {"qwen2_moe", "different feed-forwards"},
                                                   {"qwen3_moe", "normalised"},
                                                   {"deepseek_v2", "without q_lora_rank in 3 layers"},
                                                   {"deepseek_v2_groups", "groups of experts under a softmax"},
                                                   {"deepseek_v3_halves_biases", "biases"}};
  for (const auto& [name, reason] : reasons) {
    const auto refusal = gguf_refusal(config_from_json(family(name).config_json()));
    ASSERT_TRUE(refusal.has_value()) << name;
    EXPECT_THAT(to_text(*refusal), HasSubstr(reason)) << name;
    EXPECT_THROW(write_gguf_model(out("none"), model_of(family(name), DType::F32)), Error);
  }
  EXPECT_FALSE(fs::exists(out("none")));
}

TEST_F(GgufExport, MissesNoExpert) {
  const Checkpoint original = family("mixtral");
  GgufModel model = model_of(original, DType::F32);
  std::erase_if(model.tensors,
                [](const RowSource& source) { return source.name == "model.layers.1.mlp.experts.2.up_proj.weight"; });

  EXPECT_THROW(write_gguf_model(out("mixtral"), model), Error);
}

}  // namespace
}  // namespace lathe
