#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <functional>

#include "model/data/stock_classes.h"
#include "model/io/checkpoint.h"
#include "model/io/json_file.h"
#include "model/nn/compare.h"
#include "model/nn/forward.h"
#include "model/nn/load.h"
#include "model/nn/save.h"
#include "tests/nn/reference_run.h"
#include "tests/nn/tiny_models.h"
#include "tests/support/python.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr double kTolerance = 1e-4;

/// A model and the form that it leaves in; `loads_as` is the class that transformers must make of it.
struct Case {
  std::string name;
  std::string form;
  std::string loads_as;
  ModelConfig config;
};

ModelConfig of_layers(std::size_t count, const LayerConfig& layer) {
  ModelConfig config = tiny_config();
  config.max_position_embeddings = 128;
  config.layers.assign(count, layer);
  return config;
}

AttentionConfig mla_with_own_frequencies() {
  AttentionConfig mla = tiny_mla();
  mla.rope_pairs = {0, 1};
  return mla;
}

/// Everything that a layer of Lathe's own form can be.
ModelConfig every_kind() {
  ModelConfig config = of_layers(6, {});
  config.attention_bias = true;
  config.mlp_bias = true;
  config.bos_token_id = 1;
  config.eos_token_ids = {2};
  config.layers[0].attention = tiny_mla();
  config.layers[0].attention.output_bias = true;
  config.layers[1].attention = mla_with_own_frequencies();
  config.layers[1].attention.q_lora_rank = 5;
  config.layers[1].attention.latent_norm = true;
  config.layers[2].feed_forward = tiny_moe();
  config.layers[3].feed_forward = tiny_moe();
  config.layers[3].feed_forward.router = RouterKind::Sigmoid;
  config.layers[3].feed_forward.n_group = 2;
  config.layers[3].feed_forward.routed_scaling_factor = 2.5;
  config.layers[3].feed_forward.shared_expert_intermediate_size = 6;
  config.layers[5].feed_forward = tiny_moe();
  config.layers[5].feed_forward.unit_weights = config.layers[5].feed_forward.expert_bias = true;
  config.layers[5].feed_forward.shared_expert_intermediate_size = 6;
  config.layers[4].attention.sliding_window = 4;
  config.layers[4].feed_forward = tiny_moe();
  config.layers[4].feed_forward.norm_topk_prob = false;
  config.layers[4].feed_forward.shared_expert_intermediate_size = 6;
  config.layers[4].feed_forward.shared_expert_gate = true;
  return config;
}

ModelConfig normed_queries_and_yarn() {
  ModelConfig config = of_layers(2, {});
  config.qk_norm = true;
  config.tie_word_embeddings = true;
  config.rope_scaling = {
      .kind = RopeScalingKind::Yarn, .factor = 4.0, .original_max_position_embeddings = 32, .attention_factor = 1.1};
  config.layers[1].attention = mla_with_own_frequencies();
  return config;
}

ModelConfig qwen2_moe(std::int64_t shared, bool gated) {
  ModelConfig config = of_layers(3, {});
  config.attention_bias = shared > 0;
  FeedForwardConfig moe = tiny_moe();
  moe.shared_expert_intermediate_size = shared;
  moe.shared_expert_gate = gated;
  config.layers[0].feed_forward = config.layers[2].feed_forward = moe;
  return config;
}

ModelConfig deepseek(bool normed, std::int64_t shared) {
  ModelConfig config = of_layers(3, {.attention = mla_with_own_frequencies(), .feed_forward = {}});
  for (LayerConfig& layer : config.layers) {
    layer.attention.latent_norm = normed;
    layer.attention.q_lora_rank = normed ? 5 : 0;
  }
  FeedForwardConfig moe = tiny_moe();
  moe.router = RouterKind::Sigmoid;
  moe.n_group = 2;
  moe.routed_scaling_factor = 1.5;
  moe.shared_expert_intermediate_size = shared;
  config.layers[1].feed_forward = config.layers[2].feed_forward = moe;
  return config;
}

ModelConfig dense_between_experts() {
  ModelConfig config = deepseek(false, 7);
  config.layers[0].feed_forward = config.layers[1].feed_forward;
  config.layers[1].feed_forward = {};
  return config;
}

ModelConfig llama3() {
  ModelConfig config = of_layers(2, {});
  config.attention_bias = config.attention_output_bias = true;
  config.rope_scaling = {.kind = RopeScalingKind::Llama3, .factor = 8.0, .original_max_position_embeddings = 16};
  return config;
}

ModelConfig mixtral() {
  ModelConfig config = of_layers(2, {.attention = {}, .feed_forward = tiny_moe()});
  for (LayerConfig& layer : config.layers) layer.attention.sliding_window = 6;
  return config;
}

std::vector<Case> cases() {
  ModelConfig all_latent = of_layers(2, {.attention = mla_with_own_frequencies(), .feed_forward = {}});
  for (LayerConfig& layer : all_latent.layers) layer.attention.output_bias = true;
  all_latent.rope_scaling = llama3().rope_scaling;
  return {{"every_kind", "hf", "LatheForCausalLM", every_kind()},
          {"normed_queries_and_yarn", "hf", "LatheForCausalLM", normed_queries_and_yarn()},
          {"llama", "hf", "LlamaForCausalLM", tiny_config()},
          {"llama3", "llama", "LlamaForCausalLM", llama3()},
          {"mixtral", "mixtral", "MixtralForCausalLM", mixtral()},
          {"qwen_without_shared", "qwen2-moe", "Qwen2MoeForCausalLM", qwen2_moe(0, false)},
          {"qwen_gated", "qwen2-moe", "Qwen2MoeForCausalLM", qwen2_moe(6, true)},
          {"qwen_ungated", "qwen2-moe", "Qwen2MoeForCausalLM", qwen2_moe(10, false)},
          {"deepseek_all_latent", "deepseek-v3", "DeepseekV3ForCausalLM", all_latent},
          {"deepseek_constant", "deepseek-v3", "DeepseekV3ForCausalLM", deepseek(false, 0)},
          {"deepseek_normed", "deepseek-v3", "DeepseekV3ForCausalLM", deepseek(true, 24)},
          {"glm", "glm4-moe-lite", "Glm4MoeLiteForCausalLM", dense_between_experts()}};
}

SideFiles code() {
  SideFiles files;
  for (const char* name : {"configuration_lathe.py", "modeling_lathe.py"}) {
    files.emplace_back(name, read_file(fs::path(LATHE_SOURCE_DIR) / "assets/export" / name));
  }
  return files;
}

/// The ids that follow the first row when each is the likeliest.
at::Tensor greedy(const Model& model, const at::Tensor& ids_BT, std::int64_t count) {
  const at::InferenceMode inference;
  Cache cache = make_cache(model, 1, ids_BT.size(1) + count);
  at::Tensor next = ids_BT.narrow(0, 0, 1);
  std::vector<at::Tensor> written;
  for (std::int64_t i = 0; i < count; ++i) {
    const at::Tensor logits = forward(model, next, {.cache = &cache});
    next = at::argmax(logits.narrow(1, logits.size(1) - 1, 1), -1);
    written.push_back(next);
  }
  return at::cat(written, 1);
}

TEST(Exports, LoadInTransformersWithTheSameLogitsAndGenerateTheSameText) {
  LATHE_NEEDS_PYTHON("transformers torch safetensors");
  const TestFolder folder;
  const std::vector<Case> all = cases();
  std::vector<Model> models;
  std::string command = "OMP_NUM_THREADS=2 HF_HUB_OFFLINE=1 HF_HOME='" + (folder.path() / "hub").string() +
                        "' '" LATHE_PYTHON "' '" LATHE_SOURCE_DIR "/tests/nn/load_export.py'";
  for (const Case& one : all) {
    const Model& model = models.emplace_back(random_model(one.config));
    const fs::path path = folder.path() / one.name;
    const SaveOptions options{.form = one.form, .dtype = {}, .verify = {}};
    save_model(model, path, one.loads_as == "LatheForCausalLM" ? code() : SideFiles{}, {}, options);
    write_tensors(path.string() + ".ids", {{"ids", random_ids(one.config, {2, 11})}});
    command += " '" + path.string() + "' '" + path.string() + ".ids' '" + path.string() + ".out'";
  }

  const ProgramResult loaded = run_program(command + " 2>'" + (folder.path() / "log").string() + "'");

  ASSERT_EQ(loaded.status, 0) << read_file(folder.path() / "log");
  for (std::size_t i = 0; i < models.size(); ++i) {
    const Case& one = all[i];
    SCOPED_TRACE(one.name);
    const fs::path path = folder.path() / one.name;
    const at::Tensor ids = read_tensors(path.string() + ".ids").at("ids");
    const TensorMap theirs = read_tensors(path.string() + ".out.safetensors");
    EXPECT_THAT(theirs.at("logits"), IsNear(forward(models[i], ids), kTolerance));
    EXPECT_TRUE(theirs.at("generated").equal(greedy(models[i], ids, 64)));
    const nlohmann::json trained = read_json_file(path.string() + ".out.json");
    EXPECT_EQ(trained.at("class"), one.loads_as);
    EXPECT_LT(trained.at("losses").at(1).get<double>(), trained.at("losses").at(0).get<double>());
    const Model again = load_model(open_checkpoint(path.string() + ".out"), {});
    EXPECT_THAT(forward(again, ids), IsNear(forward(models[i], ids), kTolerance));
  }
}

TEST(Exports, ReadBackAsTheSameModel) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.name);
    const TestFolder folder;
    const Model model = random_model(one.config);
    ModelDifference difference;
    SaveOptions options{.form = one.form, .dtype = {}, .verify = {}};
    options.verify = [&](const fs::path& written) {
      difference = verify_saved(written, model, at::kFloat, one.form == "hf" || one.form == "llama");
    };

    save_model(model, folder.path() / "model", {}, {}, options);

    EXPECT_GT(difference.tensors, 10);
    EXPECT_LE(difference.logits, kTolerance);
  }
}

TEST(Exports, InHalfPrecisionStayNearTheModel) {
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf}) {
    const TestFolder folder;
    const Model model = random_model(deepseek(false, 0));
    const SaveOptions options{.form = "deepseek-v3", .dtype = dtype, .verify = {}};
    save_model(model, folder.path() / "model", {}, {}, options);
    const SaveOptions plain{.form = "hf", .dtype = dtype, .verify = {}};
    save_model(model, folder.path() / "plain", {}, {}, plain);

    const ModelDifference difference = compare_models(load_model(open_checkpoint(folder.path() / "plain"), {}),
                                                      load_model(open_checkpoint(folder.path() / "model"), {}));

    EXPECT_LE(difference.logits, 2e-3 * difference.logit_size);  // the constant's rounding, not the weights'
  }
}

TEST(Exports, ThatDoNotFitAreRefusedWithTheReasonAndTheNearest) {
  const Model model = random_model(qwen2_moe(6, true));
  const TestFolder folder;
  const auto refusal = [&](const char* form) {
    try {
      save_model(model, folder.path() / "model", {}, {}, {.form = form, .dtype = {}, .verify = {}});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Export);
      return std::string(error.what());
    }
    return std::string("it was written");
  };

  EXPECT_THAT(refusal("mixtral"),
              HasSubstr("got a dense MLP, expected experts; export to qwen2-moe, which fits; layer 1"));
  EXPECT_THAT(refusal("llama"), HasSubstr("got experts"));
  EXPECT_THAT(refusal("deepseek-v3"), HasSubstr("expected MLA in every layer"));
  EXPECT_THAT(refusal("gpt2"), HasSubstr("expected hf, llama, mixtral"));
  EXPECT_FALSE(fs::exists(folder.path() / "model"));
}

TEST(Exports, ThatReadBackDifferentlyLeaveTheOldModel) {
  const TestFolder folder;
  const Model old = random_model(tiny_config(), 1);
  const Model other = random_model(tiny_config(), 2);
  save_model(old, folder.path() / "model", {});
  SaveOptions options;
  options.verify = [&](const fs::path& written) { verify_saved(written, old, at::kFloat, true); };

  EXPECT_THROW(save_model(other, folder.path() / "model", {}, {}, options), Error);

  EXPECT_TRUE(compare_models(old, load_model(open_checkpoint(folder.path() / "model"), {})).differing.empty());
}

}  // namespace
}  // namespace lathe
