#include <ATen/ops/equal.h>

#include "converters/convert.h"
#include "tests/converters/random_model.h"
#include "tests/support/gpu.h"

namespace lathe {
namespace {

Conversion run(const Model& model) {
  ConversionPlan plan;
  plan.layers[0].attention = MlaPlan{.qk_rope_head_dim = 8, .kv_lora_rank = 20, .freqfold = 4};
  plan.layers[1].attention = MlaPlan{.method = "lathe-mla", .qk_rope_head_dim = 8, .kv_lora_rank = 16};
  plan.layers[1].feed_forward = MoePlan{.num_experts = 4, .noise = 0.2};
  plan.layers[2].feed_forward = MoePlan{.method = "drop-upcycling", .num_experts = 4, .drop_ratio = 0.25};
  return convert(model, plan,
                 {.calibration_ids_BT = test::random_ids(model.config, 6, 30),
                  .held_out_ids_BT = test::random_ids(model.config, 3, 20),
                  .calibration_sha256 = {},
                  .code_version = {},
                  .on_layer = {}});
}

class ConvertingOnAGpu : public GpuTest {};

TEST_F(ConvertingOnAGpu, GivesWhatTheProcessorGives) {
  const Model model = test::random_model(test::small_config());

  const Conversion here = run(model);
  const Conversion there = run(moved(model, gpu_));

  EXPECT_EQ(there.receipt.device, "cuda:0");
  EXPECT_TRUE(there.model.layers[2]->attention_norm_D.is_cuda());
  ASSERT_EQ(there.receipt.layers.size(), here.receipt.layers.size());
  for (std::size_t i = 0; i < here.receipt.layers.size(); ++i)
    EXPECT_NEAR(there.receipt.layers[i].relative_error, here.receipt.layers[i].relative_error, 1e-4);
  EXPECT_NEAR(there.receipt.nll_after, here.receipt.nll_after, 1e-3);
  const auto router = [](const Conversion& conversion, std::size_t layer) {
    return std::get<MoeFeedForward>(conversion.model.layers[layer]->feed_forward).router_ED.cpu();
  };
  EXPECT_TRUE(at::equal(router(there, 1), router(here, 1)));
  EXPECT_TRUE(at::equal(router(there, 2), router(here, 2)));
}

}  // namespace
}  // namespace lathe
