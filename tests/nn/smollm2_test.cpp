#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>

#include <cstdlib>

#include "model/io/checkpoint.h"
#include "model/nn/forward.h"
#include "model/nn/load.h"
#include "tests/nn/reference_run.h"
#include "tests/nn/tiny_models.h"
#include "tests/support/gpu.h"
#include "tests/support/places.h"

// SmolLM2-135M-Instruct, the real model, on three prompts of 64 tokens.

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr double kTolerance = 2e-4;

fs::path gguf_path() {
  const char* given = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const fs::path cache = given != nullptr && *given != 0 ? fs::path(given) : fs::path(home ? home : "") / ".cache";
  return cache / "lathe/models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";
}

class SmolLm2 : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(gguf_path())) GTEST_SKIP() << "no SmolLM2 at " << gguf_path();
    golden_ = read_tensors(fs::path(LATHE_SOURCE_DIR) / "tests/nn/goldens/smollm2_logits.safetensors");
    model_ = load_model(open_checkpoint(gguf_path()), {});
  }

  at::Tensor logits() const {
    const at::NoGradGuard no_grad;
    return forward(model_, golden_.at("ids"));
  }

  TensorMap golden_;
  Model model_;
};

TEST_F(SmolLm2, LogitsEqualTheCommittedOnes) {
  const at::Tensor ours = logits();

  EXPECT_THAT(ours.slice(-1, 0, std::nullopt, 997), IsNear(golden_.at("strided_logits"), kTolerance));
  EXPECT_THAT(ours.gather(-1, golden_.at("top_indices")), IsNear(golden_.at("top_values"), kTolerance));
  EXPECT_TRUE(ours.argmax(-1).equal(golden_.at("top_indices").select(-1, 0)));
}

TEST_F(SmolLm2, LogitsEqualThoseOfTransformers) {
  LATHE_NEEDS_REFERENCE();

  const TensorMap theirs = run_reference({{gguf_path(), {{"ids", golden_.at("ids")}}}}).front();

  EXPECT_THAT(logits(), IsNear(theirs.at("logits"), kTolerance));
}

TEST_F(SmolLm2, LogitsOnAGpuEqualTheCommittedOnes) {
  if (!has_gpu()) GTEST_SKIP() << "no GPU here";
  const at::NoGradGuard no_grad;
  const at::Device gpu(at::kCUDA, 0);

  const at::Tensor ours = forward(moved(model_, gpu), golden_.at("ids").to(gpu)).cpu();

  EXPECT_THAT(ours.slice(-1, 0, std::nullopt, 997), IsNear(golden_.at("strided_logits"), kTolerance));
  EXPECT_THAT(ours.gather(-1, golden_.at("top_indices")), IsNear(golden_.at("top_values"), kTolerance));
}

TEST_F(SmolLm2, DecodingWithACacheEqualsTheFullForward) {
  const at::NoGradGuard no_grad;
  const at::Tensor full = logits().narrow(0, 0, 1);
  const at::Tensor ids = golden_.at("ids").narrow(0, 0, 1);
  Cache cache = make_cache(model_, 1, 64);

  forward(model_, ids.narrow(1, 0, 48), {.cache = &cache});
  at::Tensor last;
  for (std::int64_t t = 48; t < 64; ++t) last = forward(model_, ids.narrow(1, t, 1), {.cache = &cache});

  EXPECT_THAT(last, IsNear(full.narrow(1, 63, 1), kTolerance));
}

}  // namespace
}  // namespace lathe
