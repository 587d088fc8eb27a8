#include "model/nn/rope.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>

#include <cmath>

#include "tests/nn/tiny_models.h"

namespace lathe {
namespace {

ModelConfig llama3_config(std::int64_t head_dim, double factor) {
  ModelConfig config = tiny_config();
  config.head_dim = head_dim;
  config.rope_theta = 500000.0;
  config.rope_scaling = {.kind = RopeScalingKind::Llama3, .factor = factor};
  return config;
}

struct Kinds {
  int kept = 0, blended = 0, stretched = 0;
};

Kinds count_kinds(const ModelConfig& scaled) {
  ModelConfig plain = scaled;
  plain.rope_scaling = {};
  const at::Tensor ratio = rope_frequencies(plain) / rope_frequencies(scaled);
  Kinds kinds;
  for (std::int64_t i = 0; i < ratio.numel(); ++i) {
    const float value = ratio.data_ptr<float>()[i];
    const auto factor = static_cast<float>(scaled.rope_scaling.factor);
    ++(value == 1 ? kinds.kept : std::abs(value - factor) < 1e-4F ? kinds.stretched : kinds.blended);
  }
  return kinds;
}

TEST(Rope, Llama31KeepsBlendsAndStretchesAsPublished) {
  const Kinds kinds = count_kinds(llama3_config(128, 8));
  EXPECT_EQ(kinds.kept, 29);
  EXPECT_EQ(kinds.blended, 6);
  EXPECT_EQ(kinds.stretched, 29);
}

TEST(Rope, Llama32KeepsBlendsAndStretchesAsPublished) {
  const Kinds kinds = count_kinds(llama3_config(64, 32));
  EXPECT_EQ(kinds.kept, 15);
  EXPECT_EQ(kinds.blended, 3);
  EXPECT_EQ(kinds.stretched, 14);
}

TEST(Rope, ScoresDependOnDistanceOnly) {
  const ModelConfig config = tiny_config();
  const at::Tensor q = at::randn({1, config.head_dim});
  const at::Tensor k = at::randn({1, config.head_dim});
  const auto score = [&](std::int64_t q_position, std::int64_t k_position) {
    return (apply_rope(q, make_rope_table(config, {q_position, 1}, at::kCPU)) *
            apply_rope(k, make_rope_table(config, {k_position, 1}, at::kCPU)))
        .sum();
  };
  EXPECT_THAT(score(17, 12), IsNear(score(5, 0), 1e-5));
}

TEST(Rope, TurnsEachPairByItsFrequency) {
  const ModelConfig config = tiny_config();  // frequencies 1 and 0.01
  at::Tensor x = at::randn({1, 4});
  const float* in = x.data_ptr<float>();

  const at::Tensor out = apply_rope(x, make_rope_table(config, {3, 1}, at::kCPU));

  const double angle = 3 * 0.01;  // of the second pair: values 1 and 3
  EXPECT_NEAR(out.data_ptr<float>()[1], in[1] * std::cos(angle) - in[3] * std::sin(angle), 1e-6);
  EXPECT_NEAR(out.data_ptr<float>()[3], in[3] * std::cos(angle) + in[1] * std::sin(angle), 1e-6);
}

TEST(Rope, SelectsTheFrequenciesOfTheLayer) {
  const RopeTable table = make_rope_table(tiny_config(), {0, 9}, at::kCPU);

  const RopeTable selected = select_rope_pairs(table, {1, 1, 0});

  EXPECT_THAT(selected.cos_TF.select(1, 0), IsNear(table.cos_TF.select(1, 1), 0));
  EXPECT_THAT(selected.sin_TF.select(1, 2), IsNear(table.sin_TF.select(1, 0), 0));
}

}  // namespace
}  // namespace lathe
