#include "model/nn/stock_tensors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/data/stock_classes.h"
#include "model/nn/names.h"
#include "model/nn/stored_parts.h"

// R kv_lora_rank, P qk_rope_head_dim, N qk_nope_head_dim, H heads, D hidden_size

namespace lathe {
namespace {

using Renaming = std::pair<std::string_view, std::string_view>;

ExportedTensor exported(std::string name, const at::Tensor& tensor) {
  return {std::move(name), tensor.sizes().vec(), tensor.scalar_type(), [tensor] { return tensor; }};
}

/// `make` gives a tensor of `shape`; it runs when the tensor is written.
ExportedTensor made(std::string name, std::vector<std::int64_t> shape, at::ScalarType dtype,
                    std::function<at::Tensor()> make) {
  return {std::move(name), std::move(shape), dtype, std::move(make)};
}

ExportedTensor zeros(std::string name, std::vector<std::int64_t> shape, const Model& model) {
  const auto options = at::TensorOptions().dtype(model.dtype()).device(model.device());
  return made(std::move(name), shape, model.dtype(), [shape, options] { return at::zeros(shape, options); });
}

/// The tensors as Lathe stores them.
void add_stored(const NamedTensor& named, std::vector<ExportedTensor>& out) {
  for (const StoredPart& part : stored_parts(named.name, named.tensor.sizes())) {
    out.push_back(made(part.name, part.shape, named.tensor.scalar_type(), [tensor = named.tensor, part] {
      std::int64_t count = 1;
      for (const std::int64_t size : part.shape) count *= size;
      return tensor.contiguous().view({-1}).narrow(0, part.first_value, count).view(part.shape);
    }));
  }
}

std::string layer_name(std::size_t index, std::string_view rest) { return text("model.layers.", index, ".", rest); }

std::string renamed(std::string name, std::initializer_list<Renaming> renamings) {
  for (const auto& [ours, theirs] : renamings) {
    if (const std::size_t at = name.find(ours); at != std::string::npos) name.replace(at, ours.size(), theirs);
  }
  return name;
}

std::vector<ExportedTensor> as_stored(const Model& model) {
  std::vector<ExportedTensor> out;
  for (const NamedTensor& named : model_tensors(model)) add_stored(named, out);
  return out;
}

std::vector<ExportedTensor> as_mixtral(const Model& model) {
  std::vector<ExportedTensor> out = as_stored(model);
  for (ExportedTensor& tensor : out) {
    tensor.name = renamed(
        tensor.name,
        {{".mlp.", ".block_sparse_moe."}, {".gate_proj.", ".w1."}, {".down_proj.", ".w2."}, {".up_proj.", ".w3."}});
  }
  return out;
}

/// The shared expert grown to `width` by neurons of zeros, which add nothing; its down_proj times `factor`.
void add_shared_expert(const std::string& prefix, const DenseFeedForward& shared, std::int64_t width, double factor,
                       const Model& model, std::vector<ExportedTensor>& out) {
  const std::int64_t hidden = model.config.hidden_size;
  const auto padded = [width](const at::Tensor& tensor, std::int64_t dim) {
    std::vector<std::int64_t> missing = tensor.sizes().vec();
    missing[static_cast<std::size_t>(dim)] = width - tensor.size(dim);
    return at::cat({tensor, at::zeros(missing, tensor.options())}, dim);
  };
  for (const auto& [name, linear] : {std::pair{"gate_proj", &shared.gate}, std::pair{"up_proj", &shared.up}}) {
    const std::string full = prefix + name + ".weight";
    const at::Tensor weight_FD = linear->weight_OI;
    out.push_back(weight_FD.defined() ? made(full, {width, hidden}, model.dtype(), [=] { return padded(weight_FD, 0); })
                                      : zeros(full, {width, hidden}, model));
  }
  const at::Tensor down_DF = shared.down.weight_OI;
  out.push_back(down_DF.defined() ? made(prefix + "down_proj.weight", {hidden, width}, model.dtype(),
                                         [=] { return padded(down_DF, 1) * factor; })
                                  : zeros(prefix + "down_proj.weight", {hidden, width}, model));
}

bool is_shared_expert(std::string_view name) { return name.find(".mlp.shared_expert") != std::string_view::npos; }

std::vector<ExportedTensor> as_qwen2_moe(const Model& model) {
  const std::int64_t width = stock_class("qwen2-moe").config(model.config).at("shared_expert_intermediate_size");
  std::vector<ExportedTensor> out;
  for (const NamedTensor& named : model_tensors(model)) {
    if (!is_shared_expert(named.name)) add_stored(named, out);
  }
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const auto& gqa = std::get<GroupedQueryAttention>(model.layers[i]->attention);
    for (const auto& [name, linear] : {std::pair{"q", &gqa.q}, std::pair{"k", &gqa.k}, std::pair{"v", &gqa.v}}) {
      if (linear->bias_O.defined()) continue;
      out.push_back(zeros(layer_name(i, text("self_attn.", name, "_proj.bias")), {linear->weight_OI.size(0)}, model));
    }
    const auto* moe = std::get_if<MoeFeedForward>(&model.layers[i]->feed_forward);
    if (moe == nullptr) continue;
    const bool gated = moe->shared_gate_1D.defined();
    const std::string gate = layer_name(i, "mlp.shared_expert_gate.weight");
    out.push_back(gated ? exported(gate, moe->shared_gate_1D) : zeros(gate, {1, model.config.hidden_size}, model));
    add_shared_expert(layer_name(i, "mlp.shared_expert."), moe->shared, width, gated ? 1.0 : 2.0, model, out);
  }
  return out;
}

/// The constant of the latent's additional value and the norm's weight that undoes it.
struct Constant {
  double value = 0.0;
  double weight = 0.0;
};

double rounded(double value, at::ScalarType dtype) {
  return at::full({}, value, at::TensorOptions().dtype(dtype)).to(at::kDouble).item<double>();
}

/// Of all values in one octave the one whose weight is nearest to what the dtype can hold.
Constant constant_channel(std::int64_t width, at::ScalarType dtype) {
  const double octave = dtype == at::kHalf ? 0x1p14 : 0x1p24;
  const double root = std::sqrt(static_cast<double>(width));
  Constant best;
  double least = 1.0;
  constexpr int kCandidates = 128;  // what bf16 can hold of an octave
  for (int i = 0; i < kCandidates; ++i) {
    const double value = octave * (1.0 + static_cast<double>(i) / kCandidates);
    const double weight = rounded(value / root, dtype);
    const double error = std::abs(weight * root / value - 1.0);
    if (error < least) {
      least = error;
      best = {value, weight};
    }
  }
  return best;
}

/// Rows [re..., im...] of each block put side by side: re0, im0, re1, im1 ...
at::Tensor interleaved(const at::Tensor& rows, std::int64_t block, std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> shape{rows.size(0) / block, block};
  if (rows.dim() == 2) shape.push_back(rows.size(1));
  const at::Tensor blocks = rows.reshape(shape);
  const at::Tensor re = blocks.narrow(1, first, count / 2);
  const at::Tensor im = blocks.narrow(1, first + count / 2, count / 2);
  const at::Tensor pairs = at::stack({re, im}, 2).flatten(1, 2);
  return at::cat({blocks.narrow(1, 0, first), pairs, blocks.narrow(1, first + count, block - first - count)}, 1)
      .reshape(rows.sizes());
}

/// kv_a with the constant value between the latent and the rope key: weight rows of zeros, bias C.
at::Tensor with_constant_row(const at::Tensor& rows, std::int64_t rank, double value) {
  std::vector<std::int64_t> shape = rows.sizes().vec();
  shape[0] = 1;
  return at::cat(
      {rows.narrow(0, 0, rank), at::full(shape, value, rows.options()), rows.narrow(0, rank, rows.size(0) - rank)}, 0);
}

/// One layer's MLA as transformers' DeepSeek-V3 stores it.
class DeepseekAttention {
 public:
  struct Target {
    at::ScalarType dtype = at::kFloat;
    bool biased = false;  ///< attention_bias: all biases that the class knows are there
  };

  DeepseekAttention(const Model& model, std::size_t index, const Target& target)
      : model_(model),
        mla_(model.layers[index]->config.attention),
        weights_(std::get<LatentAttention>(model.layers[index]->attention)),
        prefix_(layer_name(index, "self_attn.")),
        constant_(!mla_.latent_norm),
        target_(target) {}

  void add(std::vector<ExportedTensor>& out) const {
    const bool factored = weights_.q_a.weight_OI.defined();
    if (factored) {
      out.push_back(exported(prefix_ + "q_a_proj.weight", weights_.q_a.weight_OI));
      out.push_back(exported(prefix_ + "q_a_layernorm.weight", weights_.q_a_norm_Q));
      add_bias("q_a_proj", weights_.q_a, out);
    }
    const std::int64_t head = mla_.qk_nope_head_dim + mla_.qk_rope_head_dim;
    const at::Tensor q = weights_.q.weight_OI;
    out.push_back(made(prefix_ + (factored ? "q_b_proj.weight" : "q_proj.weight"), q.sizes().vec(), q.scalar_type(),
                       [=, mla = mla_] { return interleaved(q, head, mla.qk_nope_head_dim, mla.qk_rope_head_dim); }));
    add_keys_and_values(out);
    out.push_back(exported(prefix_ + "o_proj.weight", weights_.o.weight_OI));
    add_bias("o_proj", weights_.o, out);
  }

 private:
  void add_bias(const char* name, const Linear& linear, std::vector<ExportedTensor>& out) const {
    if (!target_.biased) return;
    const std::string full = text(prefix_, name, ".bias");
    out.push_back(linear.bias_O.defined() ? exported(full, linear.bias_O)
                                          : zeros(full, {linear.weight_OI.size(0)}, model_));
  }

  void add_keys_and_values(std::vector<ExportedTensor>& out) const {
    const std::int64_t rank = mla_.kv_lora_rank, rope = mla_.qk_rope_head_dim, width = rank + (constant_ ? 1 : 0);
    const Constant constant = constant_channel(width, target_.dtype);
    const auto kv_a = [=, with_constant = constant_](const at::Tensor& rows, double value) {
      const at::Tensor stored = interleaved(rows, rank + rope, rank, rope);
      return with_constant ? with_constant_row(stored, rank, value) : stored;
    };
    const at::Tensor weight = weights_.kv_a.weight_OI, bias = weights_.kv_a.bias_O;
    out.push_back(made(prefix_ + "kv_a_proj_with_mqa.weight", {width + rope, weight.size(1)}, weight.scalar_type(),
                       [=] { return kv_a(weight, 0.0); }));
    if (target_.biased) {
      const at::Tensor own = bias.defined() ? bias : at::zeros({rank + rope}, weight.options());
      out.push_back(made(prefix_ + "kv_a_proj_with_mqa.bias", {width + rope}, weight.scalar_type(),
                         [=] { return kv_a(own, constant.value); }));
    }
    const at::Tensor kv_b = weights_.kv_b.weight_OI;
    if (constant_) {
      out.push_back(made(prefix_ + "kv_a_layernorm.weight", {width}, weight.scalar_type(), [=] {
        const at::Tensor norm = at::full({width}, constant.weight, weight.options());
        norm.narrow(0, rank, 1).zero_();  // or the column of kv_b would learn, times C
        return norm;
      }));
      out.push_back(made(prefix_ + "kv_b_proj.weight", {kv_b.size(0), width}, kv_b.scalar_type(), [=] {
        return at::cat({kv_b, at::zeros({kv_b.size(0), 1}, kv_b.options())}, 1);
      }));
    } else {
      out.push_back(exported(prefix_ + "kv_a_layernorm.weight", weights_.kv_a_norm_R));
      out.push_back(exported(prefix_ + "kv_b_proj.weight", kv_b));
    }
  }

  const Model& model_;
  const AttentionConfig& mla_;
  const LatentAttention& weights_;
  const std::string prefix_;
  const bool constant_;
  const Target target_;
};

std::vector<ExportedTensor> as_deepseek(const Model& model, at::ScalarType dtype, const nlohmann::json& config) {
  const std::int64_t shared_width =
      config.at("n_shared_experts").get<std::int64_t>() * config.at("moe_intermediate_size").get<std::int64_t>();
  std::vector<ExportedTensor> out;
  for (const NamedTensor& named : model_tensors(model)) {
    const bool replaced = named.name.find(".self_attn.") != std::string::npos || is_shared_expert(named.name);
    if (!replaced) add_stored(named, out);
  }
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    DeepseekAttention(model, i, {dtype, config.at("attention_bias")}).add(out);
    if (const auto* moe = std::get_if<MoeFeedForward>(&model.layers[i]->feed_forward)) {
      add_shared_expert(layer_name(i, "mlp.shared_experts."), moe->shared, shared_width, 1.0, model, out);
    }
  }
  return out;
}

}  // namespace

std::vector<ExportedTensor> stock_tensors(std::string_view name, const Model& model, at::ScalarType dtype) {
  for (const ExportTarget& target : export_targets(model.config)) {
    if (target.name == name && target.refusal) throw Error(*target.refusal);
  }
  if (name == "hf" || name == "llama") return as_stored(model);
  if (name == "mixtral") return as_mixtral(model);
  if (name == "qwen2-moe") return as_qwen2_moe(model);
  return as_deepseek(model, dtype, stock_class(name).config(model.config));
}

}  // namespace lathe
