#include "model/train/init.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/ones_like.h>
#include <gtest/gtest.h>

#include "model/nn/names.h"
#include "tests/train/small_model.h"

namespace lathe {
namespace {

TEST(InitModel, GivesTheSameWeightsForTheSameSeedOnly) {
  const ModelConfig config = small_model()->config;
  EXPECT_EQ(model_sha256(init_model(config, 4)), model_sha256(init_model(config, 4)));
  EXPECT_NE(model_sha256(init_model(config, 4)), model_sha256(init_model(config, 5)));
}

TEST(InitModel, DrawsMatricesAtTheirDeviationAndStartsNormsAtOne) {
  ModelConfig config = small_model()->config;
  config.vocab_size = 4096;
  const Model model = init_model(config, 4);
  EXPECT_NEAR(model.embed_VD.std().item<float>(), 0.02F, 2e-4F);
  EXPECT_NEAR(weight(model, "model.layers.2.mlp.experts.down_proj").std().item<float>(), 0.02F / std::sqrt(6.0F),
              5e-4F);
  EXPECT_TRUE(at::equal(model.norm_D, at::ones_like(model.norm_D)));
  EXPECT_TRUE(model.lm_head_VD.is_same(model.embed_VD));
}

}  // namespace
}  // namespace lathe
