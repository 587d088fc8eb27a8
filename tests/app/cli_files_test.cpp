// The commands for models of other places: weights without a config, export, verify.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/support/places.h"
#include "tests/support/python.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kProgram = std::string(LATHE_BINARY_DIR) + "/app/lathe ";
const fs::path kTiny = fs::path(LATHE_SOURCE_DIR) / "assets" / "tiny";

nlohmann::json json_of(const std::string& arguments) {
  const ProgramResult result = run_program(kProgram + arguments + " --json 2>/dev/null");
  EXPECT_EQ(result.status, 0) << arguments;
  return nlohmann::json::parse(result.out, nullptr, /*allow_exceptions=*/false);
}

/// What a command that fails says on stderr.
nlohmann::json error_of(const std::string& arguments) {
  const ProgramResult result = run_program(kProgram + arguments + " --quiet --json 2>&1 >/dev/null");
  EXPECT_EQ(result.status, 1) << arguments;
  return nlohmann::json::parse(result.out, nullptr, /*allow_exceptions=*/false);
}

/// The tiny model with its weights in one folder and all the rest in another.
class WeightsWithoutConfig : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "rest");
    fs::copy(kTiny / "model.safetensors", weights_);
    for (const char* name : {"config.json", "tokenizer.json", "tokenizer_config.json"}) {
      fs::copy(kTiny / name, folder_ / "rest");
    }
  }
  const TemporaryFolder folder_;
  const std::string weights_ = folder_ / "weights.safetensors";
  const std::string config_ = " --config " + (folder_ / "rest/config.json");
};

TEST_F(WeightsWithoutConfig, AreRefusedWithTheOptionThatHelps) {
  for (const std::string command : {"info ", "eval --text x ", "verify ", "generate --prompt a "}) {
    const nlohmann::json error = error_of(command + weights_);
    EXPECT_EQ(error.at("code"), "E_CONFIG") << command;
    EXPECT_THAT(error.at("hint").get<std::string>(), HasSubstr("--config")) << command;
  }
}

TEST_F(WeightsWithoutConfig, AreTheModelThatTheNamedConfigMakesOfThem) {
  const std::string prompt = " --prompt 'And the' --max-new-tokens 12 --seed 1";
  EXPECT_EQ(json_of("generate " + weights_ + config_ + prompt).at("ids"), json_of("generate tiny" + prompt).at("ids"));
  EXPECT_EQ(json_of("info " + weights_ + config_).at("params"), json_of("info tiny").at("params"));
  EXPECT_EQ(json_of("verify " + weights_ + config_ + " --against tiny").at("differences").at("differing").size(), 0U);
  EXPECT_EQ(json_of("tokenize --text 'And the' " + weights_ + config_), json_of("tokenize --text 'And the' tiny"));
  EXPECT_EQ(json_of("export --list " + weights_ + config_), json_of("export --list tiny"));
  const std::string plan = " --plan tiny-demo -o ";
  EXPECT_EQ(json_of("convert " + weights_ + config_ + plan + (folder_ / "a")).at("model_sha256"),
            json_of("convert tiny" + plan + (folder_ / "b")).at("model_sha256"));
}

TEST_F(WeightsWithoutConfig, SayWhenTheNamedConfigIsMissingOrAnothers) {
  EXPECT_THAT(error_of("info --config /no/such.json " + weights_).at("where").get<std::string>(),
              HasSubstr("/no/such.json"));
  nlohmann::json config = nlohmann::json::parse(std::ifstream(kTiny / "config.json"));
  config["intermediate_size"] = config["intermediate_size"].get<int>() + 1;
  std::ofstream(folder_ / "other.json") << config;
  const nlohmann::json error = error_of("generate --prompt a " + weights_ + " --config " + (folder_ / "other.json"));
  EXPECT_THAT(error.dump(), HasSubstr("mlp"));
}

TEST_F(WeightsWithoutConfig, DoNotTakeTheTokenizerOfTheFolderThatTheProgramRunsIn) {
  fs::copy(kTiny / "config.json", folder_.path());
  const ProgramResult result =
      run_program("cd " + (folder_ / "rest") + " && " + kProgram + "info " + weights_ + " --json 2>/dev/null");
  ASSERT_EQ(result.status, 0);
  EXPECT_TRUE(nlohmann::json::parse(result.out).at("tokenizer").is_null());
}

TEST_F(WeightsWithoutConfig, OfAGgufFileOrAFolderWithOneAreNotOpenedByAnotherConfig) {
  fs::create_directory(folder_ / "gguf");
  json_of("export tiny --to gguf-f16 -o " + (folder_ / "gguf/tiny.gguf"));
  for (const std::string place : {"gguf", "gguf/tiny.gguf"}) {
    EXPECT_THAT(error_of("info " + (folder_ / place) + config_).at("got").get<std::string>(), HasSubstr("--config"));
  }
}

TEST(AModelWithANumberThatIsNone, IsOpenedAndSaysWhere) {
  const TemporaryFolder folder;
  fs::copy(kTiny, folder.path(), fs::copy_options::recursive);
  const fs::path path = folder / "model.safetensors";
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    std::uint64_t length = 0;
    file.read(reinterpret_cast<char*>(&length), sizeof length);
    std::string header(length, ' ');
    file.read(header.data(), static_cast<std::streamsize>(length));
    const auto tensor = nlohmann::json::parse(header).at("model.layers.1.mlp.up_proj.weight");
    ASSERT_EQ(tensor.at("dtype"), "BF16");
    file.seekp(static_cast<std::streamoff>(8 + length + tensor.at("data_offsets").at(0).get<std::uint64_t>() + 2));
    constexpr std::uint16_t kInfinity = 0x7f80;
    file.write(reinterpret_cast<const char*>(&kInfinity), sizeof kInfinity);
  }
  const ProgramResult result =
      run_program(kProgram + "generate " + folder.path().string() + " --prompt a --max-new-tokens 1 2>&1");
  EXPECT_THAT(result.out, HasSubstr("model.layers.1.mlp.up_proj.weight: 1 of "));
  EXPECT_THAT(result.out, HasSubstr("the first at [0, 1]"));
}

TEST(Export, ListsEveryFormAndWhyItDoesNotFit) {
  const TemporaryFolder folder;
  json_of("convert tiny --plan tiny-demo -o " + (folder / "model"));
  std::map<std::string, bool> fits;
  const nlohmann::json list = json_of("export --list " + (folder / "model"));
  for (const auto& target : list.at("targets")) {
    fits[target.at("name")] = target.at("fits");
    if (target.at("fits").get<bool>()) continue;
    EXPECT_FALSE(target.at("why_not").at("what").get<std::string>().empty()) << target;
    EXPECT_FALSE(target.at("why_not").at("hint").get<std::string>().empty()) << target;
  }
  EXPECT_EQ(fits.size(), 11U);
  EXPECT_TRUE(fits.at("hf"));
  EXPECT_FALSE(fits.at("llama"));
  EXPECT_FALSE(fits.at("deepseek-v3"));  // some of its layers are not MLA
  EXPECT_FALSE(fits.at("gguf-f32"));
}

TEST(Export, RefusesAFormThatDoesNotFitAndWritesNothing) {
  const TemporaryFolder folder;
  json_of("convert tiny --plan tiny-demo -o " + (folder / "model"));
  for (const std::string form : {"llama", "mixtral", "deepseek-v3", "gguf-f16"}) {
    const auto error = error_of("export " + (folder / "model") + " --to " + form + " -o " + (folder / "out"));
    EXPECT_EQ(error.at("code"), "E_EXPORT") << form;
    EXPECT_FALSE(fs::exists(folder / "out")) << form;
    EXPECT_FALSE(fs::exists(folder / "out.gguf")) << form;
  }
  EXPECT_EQ(error_of("export tiny --to onnx -o " + (folder / "out")).at("code"), "E_EXPORT");
}

/// FSDP2 itself needs a GPU; all else of the export's README runs here, in two processes.
TEST(Export, IsTrainedFurtherByTheScriptBesideIt) {
  LATHE_NEEDS_PYTHON("accelerate transformers torch");
  const TemporaryFolder folder;
  json_of("convert tiny --plan tiny-demo -o " + (folder / "model"));
  json_of("export " + (folder / "model") + " --to hf -o " + (folder / "out"));
  const std::string text = folder / "book.txt";
  std::string prose(60000, ' ');
  std::ifstream(kTiny / "../text/prose.txt").read(prose.data(), std::ssize(prose));
  std::ofstream(text) << prose;
  const auto train = [&](const std::string& arguments) {
    return run_program("cd " + (folder / "out") + " && HF_HUB_OFFLINE=1 ACCELERATE_USE_CPU=true OMP_NUM_THREADS=1 '" +
                       LATHE_PYTHON "' -m torch.distributed.run --standalone --nproc_per_node 2 continue_training.py " +
                       arguments + " --text " + text + " 2>&1");
  };
  const ProgramResult trained = train("--window 64 --batch 8 --out " + (folder / "trained"));
  ASSERT_EQ(trained.status, 0) << trained.out;
  EXPECT_THAT(trained.out, HasSubstr("step 9 loss"));
  const auto nll = [&](const std::string& model) {
    return json_of("eval " + (folder / model) + " --text " + text).at("nll").get<double>();
  };
  EXPECT_LT(nll("trained"), nll("model") - 0.02);
  EXPECT_EQ(json_of("info " + (folder / "trained")).at("params"), json_of("info " + (folder / "model")).at("params"));
  EXPECT_TRUE(fs::exists(folder / "trained/modeling_lathe.py"));
  EXPECT_THAT(train("--window 1024 --batch 1000").out, HasSubstr("one step needs 2000"));
}

TEST(Verify, FindsNothingInWhatWasExportedAndTheByteThatWasChanged) {
  const TemporaryFolder folder;
  const std::string out = folder / "out";
  const auto exported = json_of("export tiny --to hf -o " + out);
  EXPECT_EQ(exported.at("verified").at("logit_difference"), 0.0);
  EXPECT_TRUE(json_of("verify " + out).at("problems").empty());
  EXPECT_EQ(json_of("verify " + out + " --against tiny").at("differences").at("logits").at("largest_difference"), 0.0);
  std::fstream file(fs::path(out) / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put('\x5A');
  file.close();
  const nlohmann::json error = error_of("verify " + out);
  EXPECT_EQ(error.at("code"), "E_CHECKSUM");
  EXPECT_THAT(error.at("where").get<std::string>(), HasSubstr("model.safetensors"));
}

TEST(Verify, SaysWhichTensorsDiffer) {
  const TemporaryFolder folder;
  json_of("export tiny --to gguf-q8_0 -o " + (folder / "small.gguf"));
  const ProgramResult result =
      run_program(kProgram + "verify " + (folder / "small.gguf") + " --against tiny --json 2>/dev/null");
  EXPECT_EQ(result.status, 1);
  const auto differing = nlohmann::json::parse(result.out).at("differences").at("differing");
  const auto values = json_of("info tiny --tensors").at("tensors");
  // All matrices; norms are kept in f32.
  const auto is_matrix = [](const auto& tensor) { return tensor.at("shape").size() == 2; };
  const auto matrices = std::ranges::count_if(values, is_matrix);
  EXPECT_EQ(std::ssize(differing), matrices);
  for (const auto& one : differing) EXPECT_GT(one.at("largest"), 0.0);
}

}  // namespace
}  // namespace lathe
