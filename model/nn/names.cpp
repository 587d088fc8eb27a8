#include "model/nn/names.h"

#include <ATen/core/grad_mode.h>

#include <cstddef>
#include <span>

#include "model/io/hash.h"

namespace lathe {
namespace {

using Visit = std::function<void(const std::string& name, at::Tensor& tensor)>;

void visit_linear(Linear& linear, const std::string& name, const Visit& visit) {
  visit(name + ".weight", linear.weight_OI);
  visit(name + ".bias", linear.bias_O);
}

void visit_dense(DenseFeedForward& dense, const std::string& name, const Visit& visit) {
  visit_linear(dense.gate, name + "gate_proj", visit);
  visit_linear(dense.up, name + "up_proj", visit);
  visit_linear(dense.down, name + "down_proj", visit);
}

void visit_gqa(GroupedQueryAttention& gqa, const std::string& name, const Visit& visit) {
  visit_linear(gqa.q, name + "q_proj", visit);
  visit_linear(gqa.k, name + "k_proj", visit);
  visit_linear(gqa.v, name + "v_proj", visit);
  visit_linear(gqa.o, name + "o_proj", visit);
  visit(name + "q_norm.weight", gqa.q_norm_K);
  visit(name + "k_norm.weight", gqa.k_norm_K);
}

void visit_mla(LatentAttention& mla, const std::string& name, const Visit& visit) {
  const bool is_factored = mla.q_a.weight_OI.defined();
  visit_linear(mla.q_a, name + "q_a_proj", visit);
  visit(name + "q_a_layernorm.weight", mla.q_a_norm_Q);
  visit_linear(mla.q, name + (is_factored ? "q_b_proj" : "q_proj"), visit);
  visit_linear(mla.kv_a, name + "kv_a_proj_with_mqa", visit);
  visit(name + "kv_a_layernorm.weight", mla.kv_a_norm_R);
  visit_linear(mla.kv_b, name + "kv_b_proj", visit);
  visit_linear(mla.o, name + "o_proj", visit);
}

void visit_moe(MoeFeedForward& moe, const std::string& name, const Visit& visit) {
  visit(name + "gate.weight", moe.router_ED);
  visit(name + "gate.bias", moe.router_bias_E);
  visit(name + "gate.e_score_correction_bias", moe.correction_bias_E);
  visit(name + "experts.gate_up_proj", moe.experts_gate_up_E2FD);
  visit(name + "experts.down_proj", moe.experts_down_EDF);
  visit(name + "experts.down_proj_bias", moe.experts_down_bias_ED);
  visit_dense(moe.shared, name + "shared_expert.", visit);
  visit(name + "shared_expert_gate.weight", moe.shared_gate_1D);
}

// The one table between tensors and names; whatever a layer does not have is skipped.
void visit_layer(Layer& layer, std::int64_t index, const Visit& visit_defined) {
  const Visit visit = [&](const std::string& name, at::Tensor& tensor) {
    if (tensor.defined()) visit_defined(name, tensor);
  };
  const std::string block = "model.layers." + std::to_string(index) + ".";
  visit(block + "input_layernorm.weight", layer.attention_norm_D);
  if (auto* gqa = std::get_if<GroupedQueryAttention>(&layer.attention)) visit_gqa(*gqa, block + "self_attn.", visit);
  if (auto* mla = std::get_if<LatentAttention>(&layer.attention)) visit_mla(*mla, block + "self_attn.", visit);
  visit(block + "post_attention_layernorm.weight", layer.feed_forward_norm_D);
  if (auto* dense = std::get_if<DenseFeedForward>(&layer.feed_forward)) visit_dense(*dense, block + "mlp.", visit);
  if (auto* moe = std::get_if<MoeFeedForward>(&layer.feed_forward)) visit_moe(*moe, block + "mlp.", visit);
}

bool has_own_head(const Model& model) {
  return model.lm_head_VD.defined() && !model.lm_head_VD.is_same(model.embed_VD);
}

void hash_tensor(const NamedTensor& named, Sha256& hash) {
  hash.update(named.name);
  hash.update(toString(named.tensor.scalar_type()));
  for (const std::int64_t size : named.tensor.sizes()) hash.update("," + std::to_string(size));
  const at::Tensor bytes = named.tensor.detach().cpu().contiguous();
  hash.update(std::span(static_cast<const std::byte*>(bytes.const_data_ptr()), bytes.nbytes()));
}

}  // namespace

std::vector<NamedTensor> layer_tensors(const Layer& layer, std::int64_t index) {
  std::vector<NamedTensor> tensors;
  Layer copy = layer;
  visit_layer(copy, index, [&](const std::string& name, at::Tensor& tensor) { tensors.push_back({name, tensor}); });
  return tensors;
}

std::vector<NamedTensor> model_tensors(const Model& model) {
  std::vector<NamedTensor> tensors{{"model.embed_tokens.weight", model.embed_VD}};
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    for (NamedTensor& named : layer_tensors(*model.layers[i], static_cast<std::int64_t>(i))) {
      tensors.push_back(std::move(named));
    }
  }
  tensors.push_back({"model.norm.weight", model.norm_D});
  if (has_own_head(model)) tensors.push_back({"lm_head.weight", model.lm_head_VD});
  return tensors;
}

Layer map_layer(const Layer& layer, std::int64_t index,
                const std::function<at::Tensor(const std::string& name, const at::Tensor& tensor)>& map) {
  Layer mapped = layer;
  visit_layer(mapped, index, [&](const std::string& name, at::Tensor& tensor) { tensor = map(name, tensor); });
  return mapped;
}

Model map_model(const Model& model,
                const std::function<at::Tensor(const std::string& name, const at::Tensor& tensor)>& map) {
  Model mapped;
  mapped.config = model.config;
  mapped.embed_VD = map("model.embed_tokens.weight", model.embed_VD);
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    mapped.layers.push_back(
        std::make_shared<const Layer>(map_layer(*model.layers[i], static_cast<std::int64_t>(i), map)));
  }
  mapped.norm_D = map("model.norm.weight", model.norm_D);
  mapped.lm_head_VD = has_own_head(model) ? map("lm_head.weight", model.lm_head_VD) : mapped.embed_VD;
  return mapped;
}

at::ScalarType dtype_in(at::ScalarType model, std::string_view name) {
  return name.ends_with("e_score_correction_bias") ? at::kFloat : model;
}

std::string model_sha256(const Model& model) {
  Sha256 hash;
  for (const NamedTensor& named : model_tensors(model)) hash_tensor(named, hash);
  return hash.hex();
}

}  // namespace lathe
