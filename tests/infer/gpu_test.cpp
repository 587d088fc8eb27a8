#include "tests/support/gpu.h"

#include <gmock/gmock.h>

#include "model/infer/attention_map.h"
#include "model/infer/evaluate.h"
#include "model/infer/generate.h"
#include "model/infer/router_choices.h"
#include "tests/infer/tiny_models.h"

namespace lathe {
namespace {

using test::byte_tokenizer;
using test::random_ids;
using test::tiny_mixed_model;

class InferringOnAGpu : public GpuTest {
 protected:
  const Model here_ = tiny_mixed_model();

  Generated write(const Model& model, double temperature) const {
    const GenerateSettings settings{
        .prompt = "in the", .max_new_tokens = 40, .temperature = temperature, .seed = 3, .stop = {}};
    return generate(model, byte_tokenizer(), {.settings = settings});
  }
};

TEST_F(InferringOnAGpu, WritesWhatTheProcessorWrites) {
  const Model there = moved(here_, gpu_);
  EXPECT_EQ(write(there, 0.0).ids, write(here_, 0.0).ids);
  EXPECT_EQ(write(there, 0.8).ids, write(here_, 0.8).ids);
}

TEST_F(InferringOnAGpu, WritesInHalfPrecision) {
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf}) {
    const Generated written = write(moved(here_, gpu_, dtype), 0.0);
    EXPECT_EQ(written.ids.size(), 40U) << dtype << ' ' << written.finish;
  }
}

TEST_F(InferringOnAGpu, EvaluatesAndDrawsAsTheProcessor) {
  const Model there = moved(here_, gpu_);
  const std::vector<std::int32_t> ids = random_ids(96);
  EXPECT_NEAR(evaluate(there, ids, {.window = 32}).nll, evaluate(here_, ids, {.window = 32}).nll, 1e-5);
  for (const std::int64_t layer : {0, 1}) {  // GQA, MLA
    const AttentionView view{.layer = layer, .head = 1, .max_side = 48};
    EXPECT_THAT(attention_map(there, ids, view).weights,
                testing::Pointwise(testing::FloatNear(1e-5F), attention_map(here_, ids, view).weights));
  }
  const auto ours = router_choices(there, ids), theirs = router_choices(here_, ids);
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_EQ(ours[i].experts, theirs[i].experts);
}

}  // namespace
}  // namespace lathe
