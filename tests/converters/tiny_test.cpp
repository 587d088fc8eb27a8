#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "converters/calibration.h"
#include "converters/convert.h"
#include "converters/recipes.h"
#include "model/io/checkpoint.h"
#include "model/io/text_file.h"
#include "model/io/tokenizer.h"
#include "model/nn/forward.h"
#include "model/nn/load.h"
#include "tests/support/places.h"

namespace lathe {
namespace {

const std::filesystem::path kAssets = std::filesystem::path(LATHE_SOURCE_DIR) / "assets";

// The small model that ships with Lathe, on the text that ships with it.
class Tiny : public ::testing::Test {
 protected:
  Conversion run(const char* recipe) const {
    const ConversionPlan plan = load_plan(recipe, kAssets / "recipes");
    const CalibrationWindows windows =
        calibration_windows(ids, {.text = "", .num_samples = 4, .seq_len = plan.calibration.seq_len});
    return convert(model, plan,
                   {.calibration_ids_BT = windows.calibration_ids_BT,
                    .held_out_ids_BT = windows.held_out_ids_BT,
                    .calibration_sha256 = {},
                    .code_version = {},
                    .on_layer = {}});
  }

  const Model model = load_model(open_checkpoint(kAssets / "tiny"), {});
  const std::vector<std::int32_t> ids =
      load_tokenizer(kAssets / "tiny")
          .encode(read_text_file(kAssets / "text" / "prose.txt").text.substr(0, 60'000), {.add_special_tokens = false});
};

TEST_F(Tiny, KeepsItsLogitsAtFullRankAndWithPlainCopies) {
  const at::NoGradGuard no_grad;
  const Conversion conversion = run("tiny-exact");

  std::vector<std::int64_t> prompt(ids.begin(), ids.begin() + 200);
  const at::Tensor ids_BT = at::tensor(prompt, at::kLong).unsqueeze(0);
  const double difference = (forward(conversion.model, ids_BT) - forward(model, ids_BT)).abs().max().item<double>();
  EXPECT_LT(difference, 1e-4);
  EXPECT_NEAR(conversion.receipt.nll_after, conversion.receipt.nll_before, 1e-5);
}

TEST_F(Tiny, LosesALittleByTheDemoRecipe) {
  const Receipt receipt = run("tiny-demo").receipt;

  EXPECT_GT(receipt.nll_after, receipt.nll_before + 0.01);
  EXPECT_LT(receipt.nll_after, receipt.nll_before + 0.3);
  EXPECT_EQ(receipt.sizes_after.kv_values_per_token, 4 * 128 + 2 * 64);
}

}  // namespace
}  // namespace lathe
