// What llama.cpp makes of the GGUF files that models leave as. Its Python package is no part of the set-up, as it takes
// minutes to compile:
//   python3 -m pip install --target ~/llama_cpp --no-deps llama-cpp-python==0.3.36 diskcache
//   PYTHONPATH=~/llama_cpp ./lathe test -R LlamaCpp
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/randn_like.h>
#include <gmock/gmock.h>

#include <cmath>
#include <functional>

#include "app/jobs/export.h"
#include "app/jobs/open.h"
#include "model/nn/compare.h"
#include "model/nn/forward.h"
#include "model/nn/names.h"
#include "model/train/init.h"
#include "tests/support/python.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

/// A kind of model and the architecture that its file names.
struct Case {
  std::string name;
  std::function<void(ModelConfig&)> change;

  friend std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }
};

void each_feed_forward(ModelConfig& config, const FeedForwardConfig& feed_forward) {
  for (LayerConfig& layer : config.layers) layer.feed_forward = feed_forward;
}

FeedForwardConfig experts() {
  return {.kind = FeedForwardKind::Moe, .num_experts = 8, .num_experts_per_tok = 2, .moe_intermediate_size = 64};
}

void make_deepseek(ModelConfig& config) {
  AttentionConfig mla{.kind = AttentionKind::Mla,
                      .kv_lora_rank = 64,
                      .q_lora_rank = 96,
                      .qk_nope_head_dim = 32,
                      .qk_rope_head_dim = 32,
                      .v_head_dim = 32,
                      .query_bias = false,
                      .latent_norm = true,
                      .rope_pairs = {}};
  for (std::int64_t pair = 0; pair < 16; ++pair) mla.rope_pairs.push_back(pair);
  config.num_key_value_heads = config.num_attention_heads;
  for (LayerConfig& layer : config.layers) layer.attention = mla;
}

void make_deepseek_v3(ModelConfig& config) {
  make_deepseek(config);
  FeedForwardConfig moe = experts();
  moe.shared_expert_intermediate_size = 64;
  moe.router = RouterKind::Sigmoid;
  moe.routed_scaling_factor = 2.5;
  moe.n_group = 2;
  for (std::size_t i = 1; i < config.layers.size(); ++i) config.layers[i].feed_forward = moe;
}

void make_qwen2_moe(ModelConfig& config) {
  FeedForwardConfig moe = experts();
  moe.shared_expert_intermediate_size = 128;
  moe.shared_expert_gate = true;
  moe.norm_topk_prob = false;
  each_feed_forward(config, moe);
  config.attention_bias = true;
}

std::vector<Case> cases() {
  return {
      {"llama", [](ModelConfig&) {}},
      {"llama3_rope",
       [](ModelConfig& config) {
         config.rope_scaling = {.kind = RopeScalingKind::Llama3, .factor = 8.0, .original_max_position_embeddings = 16};
       }},
      {"linear_rope",
       [](ModelConfig& config) { config.rope_scaling = {.kind = RopeScalingKind::Linear, .factor = 4.0}; }},
      {"yarn",
       [](ModelConfig& config) {
         config.rope_scaling = {.kind = RopeScalingKind::Yarn,
                                .factor = 4.0,
                                .original_max_position_embeddings = 32,
                                .attention_factor = 0.1 * std::log(4.0) + 1.0};
       }},
      {"untied", [](ModelConfig& config) { config.tie_word_embeddings = false; }},
      {"biases",
       [](ModelConfig& config) { config.attention_bias = config.attention_output_bias = config.mlp_bias = true; }},
      {"qwen2", [](ModelConfig& config) { config.attention_bias = true; }},
      {"mixtral", [](ModelConfig& config) { each_feed_forward(config, experts()); }},
      {"qwen2_moe", make_qwen2_moe},
      {"qwen2_moe_without_biases",
       [](ModelConfig& config) {
         make_qwen2_moe(config);
         config.attention_bias = false;
       }},
      {"deepseek2", make_deepseek},
      {"deepseek_v3", make_deepseek_v3},
      {"deepseek_yarn",
       [](ModelConfig& config) {
         make_deepseek(config);
         config.rope_scaling = {.kind = RopeScalingKind::Yarn,
                                .factor = 40.0,
                                .original_max_position_embeddings = 32,
                                .attention_factor = 1.0,
                                .score_factor = std::pow(0.0707 * std::log(40.0) + 1.0, 2.0)};
       }},
  };
}

/// The tiny model, changed, with random weights: large enough that every part moves the logits.
OpenedModel changed_tiny(const Case& one) {
  OpenedModel opened = open_model({.path = "tiny", .device = "cpu", .dtype = "f32"}, Job());
  ModelConfig config = opened.model().config;
  one.change(config);
  const at::NoGradGuard no_grad;
  Revision revision = opened.history.current();
  revision.model = map_model(init_model(config, /*seed=*/1), [](const std::string&, const at::Tensor& tensor) {
    return tensor.dim() > 1 ? tensor * 5.0 : tensor + 0.2 * at::randn_like(tensor);
  });
  opened.history.add(one.name, std::move(revision));
  return opened;
}

/// Logits [T,V].
at::Tensor logits_of_llama_cpp(const std::string& gguf, const std::vector<std::int64_t>& ids) {
  const nlohmann::json answer = run_python("app/llama_cpp_reference.py", {{"model", gguf}, {"ids", ids}});
  std::vector<float> values;
  for (const auto& row : answer.at("logits")) {
    for (const auto& value : row) values.push_back(value.get<float>());
  }
  const auto tokens = static_cast<std::int64_t>(ids.size());
  return at::from_blob(values.data(), {tokens, std::ssize(values) / tokens}).clone();
}

class LlamaCpp : public ::testing::TestWithParam<Case> {};

TEST_P(LlamaCpp, ComputesWhatLatheComputes) {
  LATHE_NEEDS_PYTHON("llama_cpp");
  const OpenedModel model = changed_tiny(GetParam());
  const TemporaryFolder folder;
  const Exported file =
      export_opened_model(model, {.form = "gguf-f32", .path = folder / "model.gguf", .dtype = "auto"}, Job());
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < 48; ++i) ids.push_back((i * 37 + 11) % 2000);
  const at::NoGradGuard no_grad;
  const at::Tensor ours_TV = forward(model.model(), at::from_blob(ids.data(), {1, 48}, at::kLong))[0];
  const at::Tensor theirs_TV = logits_of_llama_cpp(file.path, ids);
  const double size = ours_TV.abs().max().item<double>();
  const double difference = (ours_TV - theirs_TV).abs().max().item<double>();
  RecordProperty("difference", std::to_string(difference / size));
  EXPECT_LT(difference, 1e-3 * size) << "the largest logit is " << size;
}

TEST(ExportedQwen2Moe, HoldsEveryTensorAndTheHeadThatItsEmbeddingIs) {
  LATHE_NEEDS_PYTHON("gguf safetensors");
  const OpenedModel model = changed_tiny({"qwen2_moe", make_qwen2_moe});
  ASSERT_TRUE(model.model().config.tie_word_embeddings);
  const TemporaryFolder folder;
  const std::string gguf = folder / "model.gguf";
  export_opened_model(model, {.form = "gguf-f32", .path = gguf, .dtype = "auto"}, Job());
  export_opened_model(model, {.form = "hf", .path = folder / "hf", .dtype = "f32"}, Job());
  const ProgramResult checked =
      run_program("'" LATHE_PYTHON "' '" LATHE_SOURCE_DIR "/tests/io/reference.py' check-export " + gguf + " " +
                  (folder / "hf") + " 2>&1");
  EXPECT_EQ(checked.status, 0) << checked.out;
  const OpenedModel again = open_model({.path = gguf, .device = "cpu", .dtype = "f32"}, Job());
  EXPECT_FALSE(again.model().config.tie_word_embeddings);
  EXPECT_EQ(compare_models(model.model(), again.model()).logits, 0.0);
}

INSTANTIATE_TEST_SUITE_P(Of, LlamaCpp, ::testing::ValuesIn(cases()), [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace lathe
