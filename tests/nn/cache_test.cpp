#include "model/nn/cache.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <gmock/gmock.h>

#include <array>

#include "model/data/error.h"
#include "model/data/sizes.h"
#include "model/nn/forward.h"
#include "model/nn/names.h"
#include "tests/nn/tiny_models.h"
#include "tests/support/gpu.h"

namespace lathe {
namespace {

constexpr double kTolerance = 1e-5;

constexpr std::array kKinds{"gqa", "mixed", "mla_no_nope", "mla_no_rope", "mla_norm", "mla_long_rope"};

// Logits of `ids` fed in chunks of the given lengths through one cache.
at::Tensor chunked(const Model& model, const at::Tensor& ids_BT, const std::vector<std::int64_t>& lengths,
                   bool absorb = true) {
  const at::NoGradGuard no_grad;
  Cache cache = make_cache(model, ids_BT.size(0), ids_BT.size(1));
  std::vector<at::Tensor> logits;
  std::int64_t first = 0;
  for (const std::int64_t length : lengths) {
    logits.push_back(forward(model, ids_BT.narrow(1, first, length), {.cache = &cache, .absorb = absorb}));
    first += length;
  }
  return at::cat(logits, 1);
}

ModelConfig config_named(const std::string& name) {
  if (name == "gqa") return tiny_config();
  ModelConfig config = tiny_mixed_config();
  if (name == "mla_no_nope") config.layers[0].attention.qk_nope_head_dim = 0;
  if (name == "mla_no_rope") {
    config.layers[0].attention.qk_rope_head_dim = 0;
    config.layers[0].attention.rope_pairs = {};
  }
  if (name == "mla_norm") config.layers[0].attention.latent_norm = true;
  if (name == "mla_long_rope") {  // more pairs than the model has frequencies: they repeat
    config.layers[0].attention.qk_rope_head_dim = 8;
    config.layers[0].attention.rope_pairs = {0, 1, 1, 0};
  }
  return config;
}

class CachedForward : public testing::TestWithParam<const char*> {
 protected:
  const Model model_ = random_model(config_named(GetParam()));
  const at::Tensor ids_ = random_ids(model_.config, {2, 24});
  const at::Tensor full_ = forward(model_, ids_);
};

TEST_P(CachedForward, TokenByTokenEqualsTheFullForward) {
  EXPECT_THAT(chunked(model_, ids_, std::vector<std::int64_t>(24, 1)), IsNear(full_, kTolerance));
}

TEST_P(CachedForward, PrefillAndTokensEqualTheFullForward) {
  EXPECT_THAT(chunked(model_, ids_, {20, 1, 1, 1, 1}), IsNear(full_, kTolerance));
}

TEST_P(CachedForward, ChunksEqualTheFullForward) {
  EXPECT_THAT(chunked(model_, ids_, {3, 17, 4}), IsNear(full_, kTolerance));
}

TEST_P(CachedForward, MaterialisedEqualsAbsorbed) {
  EXPECT_THAT(chunked(model_, ids_, {12, 5, 1, 1, 5}, /*absorb=*/false),
              IsNear(chunked(model_, ids_, {12, 5, 1, 1, 5}, /*absorb=*/true), kTolerance));
}

TEST_P(CachedForward, OneSequenceEqualsTheSameInABatch) {
  const at::Tensor one = ids_.narrow(0, 0, 1);
  EXPECT_THAT(chunked(model_, one, std::vector<std::int64_t>(24, 1)), IsNear(full_.narrow(0, 0, 1), kTolerance));
}

TEST_P(CachedForward, Bf16DecodingFollowsTheFullForward) {
  const auto to_bf16 = [](const std::string&, const at::Tensor& tensor) { return tensor.to(at::kBFloat16); };
  const Model model = map_model(model_, to_bf16);
  const at::Tensor full = forward(model, ids_);
  const at::Tensor decoded = chunked(model, ids_, std::vector<std::int64_t>(24, 1));
  // bf16 keeps 8 bits, and a router near a tie may choose another expert for a token.
  EXPECT_LT(((decoded - full).norm() / full.norm()).item<double>(), 0.1);
}

INSTANTIATE_TEST_SUITE_P(Kinds, CachedForward, testing::ValuesIn(kKinds),
                         [](const auto& kind) { return std::string(kind.param); });

class CachedForwardOnAGpu : public GpuTest {};

TEST_F(CachedForwardOnAGpu, EqualsTheFullForwardOfTheProcessor) {
  for (const char* kind : kKinds) {
    SCOPED_TRACE(kind);
    const Model model = random_model(config_named(kind));
    const at::Tensor ids = random_ids(model.config, {2, 24});
    const at::Tensor full = forward(model, ids);
    const auto decoded = [&](at::ScalarType dtype, const std::vector<std::int64_t>& lengths) {
      return chunked(moved(model, gpu_, dtype), ids.to(gpu_), lengths).cpu().to(at::kFloat);
    };
    EXPECT_THAT(decoded(at::kFloat, std::vector<std::int64_t>(24, 1)), IsNear(full, kTolerance));
    EXPECT_THAT(decoded(at::kFloat, {3, 17, 4}), IsNear(full, kTolerance));
    for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf}) {
      const at::Tensor rounded = decoded(dtype, {12, 5, 1, 1, 5});
      EXPECT_LT(((rounded - full).norm() / full.norm()).item<double>(), 0.1) << dtype;
    }
  }
}

TEST(Cache, HoldsOnlyTheLatentAndTheRopeKeyOfMlaLayers) {
  const Model model = random_model(tiny_mixed_config());

  const Cache cache = make_cache(model, /*batch=*/3, /*capacity=*/7);

  const std::int64_t values = sizes_of(model.config).kv_values_per_token;
  EXPECT_EQ(cache.bytes(), 3 * 7 * values * 4);
  EXPECT_FALSE(cache.layers[0].k_BGCK.defined());
  EXPECT_EQ(cache.layers[0].latent_BCL.sizes(), (std::vector<std::int64_t>{3, 7, 10 + 4}));
}

TEST(Cache, RefusesMoreTokensThanItHolds) {
  const Model model = random_model(tiny_config());
  Cache cache = make_cache(model, 1, 5);
  forward(model, random_ids(model.config, {1, 4}), {.cache = &cache});

  EXPECT_THROW(forward(model, random_ids(model.config, {1, 2}), {.cache = &cache}), Error);
  EXPECT_EQ(cache.length, 4);
}

TEST(Forward, RefusesIdsOutsideTheVocabulary) {
  const Model model = random_model(tiny_config());
  EXPECT_THROW(forward(model, random_ids(model.config, {1, 4}) + model.config.vocab_size), Error);
  EXPECT_THROW(forward(model, random_ids(model.config, {1, 4}).to(at::kFloat)), Error);
}

}  // namespace
}  // namespace lathe
