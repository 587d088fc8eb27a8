#include <ATen/ops/cat.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "model/io/checkpoint.h"
#include "model/nn/forward.h"
#include "model/nn/load.h"
#include "model/nn/save.h"
#include "tests/nn/reference_run.h"
#include "tests/nn/tiny_models.h"
#include "tests/support/python.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr double kTolerance = 2e-4;

/// Tiny random models of every family, as transformers saved them, with its logits; made once for all tests.
class Families : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!why_no_python("transformers torch safetensors").empty()) return;
    folder_ = new TestFolder;
    const std::string out = folder_->path().string();
    const ProgramResult made =
        run_program("OMP_NUM_THREADS=2 '" LATHE_PYTHON "' '" LATHE_SOURCE_DIR "/tests/nn/make_families.py' '" + out +
                    "' 2>'" + out + "/log'");
    ASSERT_EQ(made.status, 0) << "see " << out << "/log";
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  void SetUp() override { LATHE_NEEDS_PYTHON("transformers torch safetensors"); }

  static std::vector<std::string> names() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_->path())) {
      if (entry.is_directory()) names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
  }
  static fs::path path(const std::string& name) { return folder_->path() / name; }
  static TensorMap reference(const std::string& name) { return read_tensors(path(name + ".safetensors")); }

 private:
  static inline TestFolder* folder_ = nullptr;
};

TEST_F(Families, GiveTheLogitsOfTransformers) {
  const std::vector<std::string> all = names();
  EXPECT_GE(all.size(), 15U);
  for (const std::string& name : all) {
    SCOPED_TRACE(name);
    const TensorMap theirs = reference(name);
    const Model model = load_model(open_checkpoint(path(name)), {});

    EXPECT_THAT(forward(model, theirs.at("ids")), IsNear(theirs.at("logits"), kTolerance));
  }
}

TEST_F(Families, GiveTheSameLogitsTokenByTokenFromTheCache) {
  for (const std::string& name : names()) {
    SCOPED_TRACE(name);
    const TensorMap theirs = reference(name);
    const at::Tensor& ids = theirs.at("ids");
    const Model model = load_model(open_checkpoint(path(name)), {});
    Cache cache = make_cache(model, ids.size(0), ids.size(1));
    const ForwardOptions options{.cache = &cache};
    at::InferenceMode inference;

    std::vector<at::Tensor> logits;
    for (const auto& [first, count] : std::vector<std::pair<std::int64_t, std::int64_t>>{
             {0, 7}, {7, 2}, {9, 1}, {10, 1}, {11, 1}, {12, 1}, {13, 1}}) {
      logits.push_back(forward(model, ids.narrow(1, first, count), options));
    }

    EXPECT_THAT(at::cat(logits, 1), IsNear(theirs.at("logits"), kTolerance));
  }
}

TEST_F(Families, ComeBackFromASaveWithTheSameLogits) {
  for (const std::string& name : names()) {
    SCOPED_TRACE(name);
    const TestFolder saved;
    const at::Tensor ids = reference(name).at("ids");
    const Model model = load_model(open_checkpoint(path(name)), {});

    save_model(model, saved.path() / "model", {});
    const Model again = load_model(open_checkpoint(saved.path() / "model"), {});

    EXPECT_EQ(again.config, model.config);
    EXPECT_THAT(forward(again, ids), IsNear(forward(model, ids), 0.0));
  }
}

}  // namespace
}  // namespace lathe
