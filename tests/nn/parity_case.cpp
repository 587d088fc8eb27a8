#include "tests/nn/parity_case.h"

#include <ATen/TensorOperators.h>

#include <functional>

#include "model/data/config.h"
#include "model/data/error.h"
#include "model/nn/forward.h"
#include "model/nn/names.h"
#include "model/nn/skeleton.h"
#include "tests/nn/tiny_models.h"
#include "tests/support/gpu.h"

namespace lathe {
namespace {

// Gives the tensors of a skeleton their values and takes their gradients back, under the reference's names.
class Weights {
 public:
  Weights(const TensorMap& tensors, std::string prefix) : tensors_(tensors), prefix_(std::move(prefix)) {}

  Model fill(const ModelConfig& config) {
    return map_model(model_skeleton(config), [&](const std::string& name, const at::Tensor& shape) {
      if (!name.starts_with(prefix_)) return shape;
      const std::string theirs = reference_name(name);
      const auto found = tensors_.find(theirs);
      check(found != tensors_.end(), "the reference has no tensor ", theirs);
      check(found->second.sizes() == shape.sizes(), theirs, ": got ", found->second.sizes(), ", expected ",
            shape.sizes());
      return filled_[theirs] = found->second.clone().requires_grad_();
    });
  }

  void take_gradients(TensorMap& results) const {
    for (const auto& [name, tensor] : filled_) {
      if (tensor.grad().defined()) results["grad." + name] = tensor.grad();
    }
  }

 private:
  std::string reference_name(const std::string& name) const {
    std::string theirs = name.substr(prefix_.size());
    const bool is_deepseek = tensors_.contains("shared_experts.gate_proj.weight");
    if (is_deepseek && theirs.starts_with("shared_expert.")) theirs.insert(std::string("shared_expert").size(), "s");
    return theirs;
  }

  const TensorMap& tensors_;
  const std::string prefix_;
  TensorMap filled_;
};

TensorMap moved_to(at::Device device, TensorMap tensors) {
  for (auto& [name, tensor] : tensors) tensor = tensor.to(device);
  return tensors;
}

// The part of the config that a single attention or feed-forward layer needs.
ModelConfig one_layer_config(const nlohmann::json& theirs) {
  ModelConfig config;
  config.vocab_size = 1;
  config.hidden_size = theirs.at("hidden_size");
  config.intermediate_size = 1;
  config.num_attention_heads = theirs.value("num_attention_heads", 1);
  config.num_key_value_heads = config.num_attention_heads;
  config.head_dim = theirs.value("qk_rope_head_dim", 2);
  config.rms_norm_eps = 1e-3;  // which is not that of the latent norms
  config.attention_bias = theirs.value("attention_bias", false);
  config.attention_output_bias = config.attention_bias;
  config.layers.resize(1);
  return config;
}

AttentionConfig mla_config(const nlohmann::json& theirs) {
  AttentionConfig mla{.kind = AttentionKind::Mla,
                      .kv_lora_rank = theirs.at("kv_lora_rank"),
                      .q_lora_rank = theirs.at("q_lora_rank").is_null() ? 0 : theirs.at("q_lora_rank").get<int>(),
                      .qk_nope_head_dim = theirs.at("qk_nope_head_dim"),
                      .qk_rope_head_dim = theirs.at("qk_rope_head_dim"),
                      .v_head_dim = theirs.at("v_head_dim"),
                      .latent_norm = true,
                      .rope_pairs = {}};
  for (std::int64_t i = 0; i < mla.qk_rope_head_dim / 2; ++i) mla.rope_pairs.push_back(i);
  return mla;
}

FeedForwardConfig moe_config(const std::string& kind, const nlohmann::json& theirs) {
  FeedForwardConfig moe{.kind = FeedForwardKind::Moe,
                        .num_experts_per_tok = theirs.at("num_experts_per_tok"),
                        .norm_topk_prob = theirs.value("norm_topk_prob", true)};
  if (kind == "mixtral") {
    moe.num_experts = theirs.at("num_local_experts");
    moe.moe_intermediate_size = theirs.at("intermediate_size");
    return moe;
  }
  moe.moe_intermediate_size = theirs.at("moe_intermediate_size");
  if (kind == "qwen2_moe") {
    moe.num_experts = theirs.at("num_experts");
    moe.shared_expert_intermediate_size = theirs.at("shared_expert_intermediate_size");
    moe.shared_expert_gate = true;
    return moe;
  }
  moe.num_experts = theirs.at("n_routed_experts");
  moe.shared_expert_intermediate_size = moe.moe_intermediate_size * theirs.at("n_shared_experts").get<int>();
  moe.router = RouterKind::Sigmoid;
  moe.routed_scaling_factor = theirs.at("routed_scaling_factor");
  return moe;
}

TensorMap run_llama(nlohmann::json config, const TensorMap& tensors) {
  config["model_type"] = "llama";
  Weights weights(tensors, "");
  const Model model = weights.fill(config_from_json(config));
  TensorMap results{{"output", forward(model, tensors.at("input.ids"))}};
  (results["output"] * tensors.at("input.direction")).sum().backward();
  weights.take_gradients(results);
  return results;
}

TensorMap run_layer(const std::string& kind, const nlohmann::json& theirs, const TensorMap& tensors) {
  const bool is_attention = kind == "latent_attention";
  ModelConfig config = one_layer_config(theirs);
  if (is_attention) {
    config.layers[0].attention = mla_config(theirs);
  } else {
    config.layers[0].feed_forward = moe_config(kind, theirs);
  }
  Weights weights(tensors, is_attention ? "model.layers.0.self_attn." : "model.layers.0.mlp.");
  const Model model = weights.fill(config);
  at::Tensor x = tensors.at("input.x").clone().requires_grad_();
  const ForwardOptions options;
  BlockContext context = make_block_context(moved(random_model(config), x.device()), {0, x.size(1)}, options);
  const Layer& layer = *model.layers[0];
  TensorMap results;
  results["output"] =
      is_attention ? attention_forward(config, layer, 0, x, context) : feed_forward_forward(layer, 0, x, context);
  (results["output"] * tensors.at("input.direction")).sum().backward();
  weights.take_gradients(results);
  results["grad.input.x"] = x.grad();
  return results;
}

}  // namespace

TensorMap run_parity_case(const nlohmann::json& parity_case, const TensorMap& tensors, at::Device device) {
  const std::string kind = parity_case.at("kind");
  const nlohmann::json& config = parity_case.at("config");
  const TensorMap inputs = moved_to(device, tensors);
  return moved_to(at::kCPU, kind == "llama" ? run_llama(config, inputs) : run_layer(kind, config, inputs));
}

void expect_parity(const TensorMap& ours, const TensorMap& reference, double tolerance) {
  std::size_t compared = 0;
  for (const auto& [name, expected] : reference) {
    if (name != "output" && !name.starts_with("grad.")) continue;
    SCOPED_TRACE(name);
    const auto found = ours.find(name);
    ASSERT_NE(found, ours.end());
    // Gradients sum over all tokens; a tolerance on them is relative to their size where that is above 1.
    const double scale = name == "output" ? 1.0 : std::max(1.0, expected.abs().max().item<double>());
    EXPECT_THAT(found->second, IsNear(expected, tolerance * scale));
    ++compared;
  }
  EXPECT_GT(compared, 2U);
}

}  // namespace lathe
