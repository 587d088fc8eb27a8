#include "model/nn/names.h"

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>

#include <set>

#include "model/data/sizes.h"
#include "model/nn/skeleton.h"
#include "tests/nn/tiny_models.h"

namespace lathe {
namespace {

std::int64_t count_values(const Model& model) {
  std::int64_t values = 0;
  for (const NamedTensor& named : model_tensors(model)) values += named.tensor.numel();
  return values;
}

ModelConfig rich_config() {
  ModelConfig config = tiny_mixed_config();
  config.attention_bias = true;
  config.attention_output_bias = true;
  config.layers[0].feed_forward = tiny_moe();
  config.layers[0].feed_forward.shared_expert_intermediate_size = 6;
  config.layers[0].feed_forward.shared_expert_gate = true;
  config.layers[0].feed_forward.router = RouterKind::Sigmoid;
  config.layers[1].feed_forward = tiny_moe();
  config.layers[1].feed_forward.unit_weights = config.layers[1].feed_forward.expert_bias = true;
  config.layers[1].feed_forward.shared_expert_intermediate_size = 6;
  config.layers[1].attention = tiny_mla();
  config.layers[1].attention.q_lora_rank = 7;
  config.layers[1].attention.latent_norm = true;
  return config;
}

TEST(Names, TensorsHoldAsManyValuesAsTheConfigPredicts) {
  ModelConfig biased = tiny_config();
  biased.mlp_bias = true;
  biased.tie_word_embeddings = true;
  for (const ModelConfig& config : {tiny_config(), tiny_mixed_config(), rich_config(), biased}) {
    EXPECT_EQ(count_values(model_skeleton(config)), sizes_of(config).params);
  }
}

TEST(Names, AreAllDifferent) {
  std::set<std::string> names;
  for (const NamedTensor& named : model_tensors(random_model(rich_config()))) {
    EXPECT_TRUE(names.insert(named.name).second) << named.name;
  }
}

TEST(Names, MappingALayerReplacesEveryTensorOnce) {
  const Model model = random_model(rich_config());
  const Layer& layer = *model.layers[1];
  std::size_t calls = 0;

  const Layer mapped = map_layer(layer, 1, [&](const std::string&, const at::Tensor& tensor) {
    ++calls;
    return 2 * tensor;
  });

  const auto before = layer_tensors(layer, 1);
  const auto after = layer_tensors(mapped, 1);
  ASSERT_EQ(before.size(), after.size());
  EXPECT_EQ(calls, before.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    SCOPED_TRACE(before[i].name);
    EXPECT_EQ(before[i].name, after[i].name);
    EXPECT_THAT(after[i].tensor, IsNear(2 * before[i].tensor, 0));
  }
}

TEST(ModelSha256, ChangesWithOneValueAndNotWithACopy) {
  const Model model = random_model(tiny_mixed_config());
  const auto clone = [](const std::string&, const at::Tensor& tensor) { return tensor.clone(); };
  Model copy = map_model(model, clone);
  EXPECT_EQ(model_sha256(copy), model_sha256(model));

  copy.norm_D[3] += 1e-3;

  EXPECT_NE(model_sha256(copy), model_sha256(model));
}

TEST(ModelSha256, DependsOnTheDtype) {
  const Model model = random_model(tiny_config());
  const auto to_bf16 = [](const std::string&, const at::Tensor& tensor) { return tensor.to(at::kBFloat16); };
  const auto there_and_back = [](const std::string&, const at::Tensor& tensor) { return tensor.to(at::kFloat); };
  const Model half = map_model(model, to_bf16);
  EXPECT_NE(model_sha256(half), model_sha256(map_model(half, there_and_back)));
}

}  // namespace
}  // namespace lathe
