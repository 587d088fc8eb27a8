#include "model/nn/load.h"

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/io/json_file.h"
#include "model/nn/forward.h"
#include "model/nn/names.h"
#include "model/nn/save.h"
#include "tests/nn/reference_run.h"
#include "tests/nn/tiny_models.h"

namespace lathe {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Every kind of tensor that a layer can have.
ModelConfig full_config() {
  ModelConfig config = tiny_mixed_config();
  config.layers.resize(3);
  config.layers[1].attention = tiny_mla();
  config.layers[1].feed_forward = tiny_moe();
  config.layers[1].feed_forward.unit_weights = config.layers[1].feed_forward.expert_bias = true;
  config.layers[1].feed_forward.shared_expert_intermediate_size = 6;
  config.layers[1].attention.q_lora_rank = 5;
  config.layers[1].attention.latent_norm = true;
  config.layers[2].feed_forward = tiny_moe();
  config.layers[2].feed_forward.router = RouterKind::Sigmoid;
  config.layers[2].feed_forward.shared_expert_intermediate_size = 6;
  config.layers[2].feed_forward.shared_expert_gate = true;
  config.attention_bias = true;
  config.attention_output_bias = true;
  return config;
}

Model as(at::ScalarType dtype, const Model& model) {
  return map_model(model,
                   [&](const std::string& name, const at::Tensor& tensor) { return tensor.to(dtype_in(dtype, name)); });
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

class SavedModel : public testing::TestWithParam<at::ScalarType> {};

TEST_P(SavedModel, LoadsAsTheSameTensors) {
  const TestFolder folder;
  const Model model = as(GetParam(), random_model(full_config()));

  save_model(model, folder.path() / "model", {{"plan.json", "{}"}});
  const Checkpoint checkpoint = open_checkpoint(folder.path() / "model");
  const Model loaded = load_model(checkpoint, {.device = at::kCPU, .dtype = GetParam()});

  EXPECT_EQ(model_sha256(loaded), model_sha256(model));
  EXPECT_EQ(loaded.config, model.config);
  EXPECT_EQ(read_file(folder.path() / "model/plan.json"), "{}");
}

INSTANTIATE_TEST_SUITE_P(Dtypes, SavedModel, testing::Values(at::kFloat, at::kBFloat16, at::kHalf),
                         [](const auto& dtype) { return std::string(c10::toString(dtype.param)); });

TEST(Save, StoresExpertsOneByOneUnderTheirOldNames) {
  const TestFolder folder;
  const Model model = random_model(tiny_mixed_config());

  save_model(model, folder.path() / "model", {});

  const Checkpoint checkpoint = open_checkpoint(folder.path() / "model");
  const TensorEntry& up = checkpoint.at("model.layers.1.mlp.experts.3.up_proj.weight");
  EXPECT_EQ(up.shape, (std::vector<std::int64_t>{12, 16}));
  std::vector<float> row(16);
  read_rows(up, 2, 1, row);
  const at::Tensor fused = std::get<MoeFeedForward>(model.layers[1]->feed_forward).experts_gate_up_E2FD;
  EXPECT_EQ(row[5], fused[3][12 + 2][5].item<float>());
  EXPECT_EQ(checkpoint.find("model.layers.1.mlp.experts.gate_up_proj"), nullptr);
}

TEST(Save, TiedHeadsAreStoredOnceAndStayTied) {
  const TestFolder folder;
  ModelConfig config = tiny_config();
  config.tie_word_embeddings = true;

  save_model(random_model(config), folder.path() / "model", {});
  const Checkpoint checkpoint = open_checkpoint(folder.path() / "model");
  const Model loaded = load_model(checkpoint, {});

  EXPECT_EQ(checkpoint.find("lm_head.weight"), nullptr);
  EXPECT_TRUE(loaded.lm_head_VD.is_same(loaded.embed_VD));
}

TEST(Save, TransformersOpensAnUnconvertedModelAndGivesTheSameLogits) {
  LATHE_NEEDS_REFERENCE();
  const TestFolder folder;
  ModelConfig config = tiny_config();
  config.attention_bias = true;
  config.attention_output_bias = true;
  config.rope_scaling = {.kind = RopeScalingKind::Llama3, .factor = 8, .original_max_position_embeddings = 16};
  config.bos_token_id = 1;
  config.eos_token_ids = {2, 3};
  const Model model = random_model(config);
  const at::Tensor ids = random_ids(config, {2, 20});

  save_model(model, folder.path() / "model", {});
  const TensorMap theirs = run_reference({{folder.path() / "model", {{"ids", ids}}}}).front();

  EXPECT_THAT(forward(model, ids), IsNear(theirs.at("logits"), 1e-5));
}

TEST(Load, ListsEveryMissingUnexpectedAndMisshapenTensor) {
  const TestFolder folder;
  const Model small = random_model(tiny_config());
  save_model(small, folder.path() / "model", {});
  TensorMap tensors;
  for (const NamedTensor& named : model_tensors(small)) tensors[named.name] = named.tensor;
  tensors.erase("model.norm.weight");
  tensors.erase("model.layers.1.self_attn.k_proj.weight");
  tensors["model.layers.0.mlp.up_proj.weight"] = tensors["model.layers.0.mlp.down_proj.weight"];
  tensors["model.layers.2.mlp.up_proj.weight"] = tensors["model.embed_tokens.weight"];
  std::filesystem::create_directory(folder.path() / "broken");
  std::filesystem::copy_file(folder.path() / "model/config.json", folder.path() / "broken/config.json");
  write_tensors(folder.path() / "broken/model.safetensors", tensors);
  const Checkpoint checkpoint = open_checkpoint(folder.path() / "broken");

  const std::string error = error_of([&] { load_model(checkpoint, {}); });

  EXPECT_THAT(error, HasSubstr("matched 18 of 21"));
  EXPECT_THAT(error, HasSubstr("missing (2):"));
  EXPECT_THAT(error, AllOf(HasSubstr("model.norm.weight"), HasSubstr("model.layers.1.self_attn.k_proj.weight")));
  EXPECT_THAT(error, HasSubstr("model.layers.0.mlp.up_proj.weight: got [16, 12], expected [12, 16]"));
  EXPECT_THAT(error, AllOf(HasSubstr("unexpected (1):"), HasSubstr("model.layers.2.mlp.up_proj.weight")));
  EXPECT_THAT(error, HasSubstr((folder.path() / "broken").string()));
}

TEST(Load, NamesTheFirstTensorsOfALongListAndCountsTheRest) {
  const TestFolder folder;
  const Model model = random_model(tiny_mixed_config());
  save_model(model, folder.path() / "model", {});
  ModelConfig other = tiny_mixed_config();
  other.layers[1].feed_forward.num_experts = 34;
  std::filesystem::create_directory(folder.path() / "other");
  std::filesystem::copy_file(folder.path() / "model/model.safetensors", folder.path() / "other/model.safetensors");
  std::ofstream(folder.path() / "other/config.json") << config_to_json(other);
  const Checkpoint checkpoint = open_checkpoint(folder.path() / "other");

  const std::string error = error_of([&] { load_model(checkpoint, {}); });

  // 30 experts of three tensors are missing, the router has another shape, all others fit.
  const std::size_t stored = checkpoint.tensors().size();
  EXPECT_THAT(error, HasSubstr("matched " + std::to_string(stored - 1) + " of " + std::to_string(stored + 90)));
  EXPECT_THAT(error, AllOf(HasSubstr("missing (90):"), HasSubstr("and 70 more"), HasSubstr("wrong shape (1):")));
  EXPECT_EQ(std::ranges::count(error, '\n'), 1 + 20 + 1 + 2 + 1);
}

TEST(Load, StopsWhenAskedTo) {
  const TestFolder folder;
  save_model(random_model(tiny_config()), folder.path() / "model", {});
  const Checkpoint checkpoint = open_checkpoint(folder.path() / "model");
  std::stop_source stop;
  std::int64_t reports = 0;
  const Job job(stop.get_token(), [&](const Progress&) {
    if (++reports == 3) stop.request_stop();
  });

  EXPECT_THROW(load_model(checkpoint, {}, job), Cancelled);
  EXPECT_EQ(reports, 3);
}

TEST(Load, ReportsAllBytes) {
  const TestFolder folder;
  save_model(random_model(tiny_mixed_config()), folder.path() / "model", {});
  const Checkpoint checkpoint = open_checkpoint(folder.path() / "model");
  Progress last;

  load_model(checkpoint, {}, Job({}, [&](const Progress& progress) { last = progress; }));

  EXPECT_EQ(last.done, checkpoint.tensor_bytes());
  EXPECT_EQ(last.total, checkpoint.tensor_bytes());
}

}  // namespace
}  // namespace lathe
