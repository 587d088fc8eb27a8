#include "model/train/trained_model.h"

#include <ATen/ops/_foreach_copy.h>

#include <algorithm>
#include <utility>

#include "model/data/error.h"
#include "model/nn/names.h"

namespace lathe {
namespace {

const MoeFeedForward* moe_of(const Layer& layer) { return std::get_if<MoeFeedForward>(&layer.feed_forward); }

bool is_attention(const std::string& name) { return name.find(".self_attn.") != std::string::npos; }
bool is_feed_forward(const std::string& name) { return name.find(".mlp.") != std::string::npos; }

bool is_correction_bias(const Layer& layer, const at::Tensor& tensor) {
  const MoeFeedForward* moe = moe_of(layer);
  return moe != nullptr && tensor.is_same(moe->correction_bias_E);
}

bool is_router(const Layer& layer, const at::Tensor& tensor) {
  const MoeFeedForward* moe = moe_of(layer);
  return moe != nullptr &&
         (tensor.is_same(moe->router_ED) || tensor.is_same(moe->router_bias_E) || tensor.is_same(moe->shared_gate_1D));
}

bool trains(Trainable trainable, const Layer& layer, const std::string& name, const at::Tensor& tensor) {
  if (is_correction_bias(layer, tensor)) return false;
  const bool mla = is_attention(name) && layer.config.attention.kind == AttentionKind::Mla;
  const bool moe = is_feed_forward(name) && layer.config.feed_forward.kind == FeedForwardKind::Moe;
  switch (trainable) {
    case Trainable::Converted:
      return mla || moe;
    case Trainable::Routers:
      return is_router(layer, tensor);
    case Trainable::Experts:
      return moe && !is_router(layer, tensor);
    case Trainable::Attention:
      return mla;
    case Trainable::All:
      return true;
  }
  return false;
}

/// Adds a private copy of `tensor` to what trains and returns the leaf that takes its place.
at::Tensor add_weight(TrainedModel& trained, const std::string& name, const at::Tensor& tensor, at::ScalarType dtype) {
  // contiguous: the fused optimiser walks weight, gradient and moments in the same order
  at::Tensor master = tensor.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
  at::Tensor leaf = dtype == at::kFloat ? master : master.to(dtype);
  leaf.set_requires_grad(true);
  trained.weights.push_back({name, master, leaf});
  return leaf;
}

// With Attention alone a router's bias stays.
bool moves_bias(Trainable trainable) { return trainable != Trainable::Attention; }

/// Whether anything in the layer changes in a run.
bool changes(Trainable trainable, const Layer& layer, std::int64_t index) {
  bool any = false;
  map_layer(layer, index, [&](const std::string& name, const at::Tensor& tensor) {
    any = any || trains(trainable, layer, name, tensor) || (moves_bias(trainable) && is_correction_bias(layer, tensor));
    return tensor;
  });
  return any;
}

Layer trained_layer(TrainedModel& trained, const Layer& layer, std::int64_t index,
                    const std::pair<Trainable, at::ScalarType>& how) {
  const auto [trainable, dtype] = how;
  return map_layer(layer, index,
                   [&, trainable = trainable, dtype = dtype](const std::string& name, const at::Tensor& tensor) {
                     if (trains(trainable, layer, name, tensor)) return add_weight(trained, name, tensor, dtype);
                     if (!is_correction_bias(layer, tensor)) return tensor.to(dtype);
                     if (!moves_bias(trainable)) return tensor;
                     trained.biases.push_back({name, index, tensor.clone()});
                     return trained.biases.back().bias_E;
                   });
}

void train_ends(TrainedModel& trained, const Model& start, at::ScalarType dtype) {
  trained.model.embed_VD = add_weight(trained, "model.embed_tokens.weight", start.embed_VD, dtype);
  trained.model.norm_D = add_weight(trained, "model.norm.weight", start.norm_D, dtype);
  trained.model.lm_head_VD = start.lm_head_VD.is_same(start.embed_VD)
                                 ? trained.model.embed_VD
                                 : add_weight(trained, "lm_head.weight", start.lm_head_VD, dtype);
}

const char* wanted_part(Trainable trainable) {
  switch (trainable) {
    case Trainable::Attention:
      return "MLA layers";
    case Trainable::Routers:
    case Trainable::Experts:
      return "MoE layers";
    default:
      return "converted layers";
  }
}

}  // namespace

void TrainedModel::refresh_leaves() {
  std::vector<at::Tensor> leaves, masters;
  for (const TrainedWeight& weight : weights) {
    if (weight.leaf.is_same(weight.master)) continue;
    leaves.push_back(weight.leaf.detach());
    masters.push_back(weight.master);
  }
  if (!leaves.empty()) at::_foreach_copy_(leaves, masters);
}

LayerPtr LayerCast::layer(const LayerPtr& layer, std::int64_t index) {
  const auto [place, is_new] = done_.try_emplace(layer);
  if (!is_new) return place->second;
  bool same = true;
  Layer cast = map_layer(*layer, index, [&](const std::string&, const at::Tensor& tensor) {
    if (is_correction_bias(*layer, tensor) || tensor.scalar_type() == dtype_) return tensor;
    same = false;
    return tensor.to(dtype_);
  });
  place->second = same ? layer : std::make_shared<const Layer>(std::move(cast));
  return place->second;
}

void LayerCast::ends(const Model& model, Model& out) const {
  out.embed_VD = model.embed_VD.to(dtype_);
  out.norm_D = model.norm_D.to(dtype_);
  out.lm_head_VD = model.lm_head_VD.is_same(model.embed_VD) ? out.embed_VD : model.lm_head_VD.to(dtype_);
}

Model LayerCast::model(const Model& model) {
  Model out = model;
  for (std::size_t i = 0; i < out.layers.size(); ++i) {
    out.layers[i] = layer(model.layers[i], static_cast<std::int64_t>(i));
  }
  ends(model, out);
  return out;
}

TrainedModel make_trained_model(const Model& start, Trainable trainable, at::ScalarType dtype, LayerCast& cast) {
  TrainedModel trained{.model = start, .weights = {}, .biases = {}, .first_layer = start.config.num_layers()};
  for (std::size_t i = 0; i < start.layers.size(); ++i) {
    const auto index = static_cast<std::int64_t>(i);
    const bool is_trained = changes(trainable, *start.layers[i], index);
    if (is_trained) trained.first_layer = std::min(trained.first_layer, index);
    trained.model.layers[i] =
        is_trained ? std::make_shared<const Layer>(trained_layer(trained, *start.layers[i], index, {trainable, dtype}))
                   : cast.layer(start.layers[i], index);
  }
  if (trainable == Trainable::All) {
    train_ends(trained, start, dtype);
    trained.first_layer = 0;
  } else {
    cast.ends(start, trained.model);
  }
  check(!trained.weights.empty(), "[train] nothing to train: the model has no ", wanted_part(trainable),
        "; convert some layers first, or train 'all'");
  return trained;
}

Model finished_model(const Model& start, const TrainedModel& trained) {
  std::map<std::string, at::Tensor> values;
  for (const TrainedWeight& weight : trained.weights) values[weight.name] = weight.master;
  for (const TrainedBias& bias : trained.biases) values[bias.name] = bias.bias_E;
  bool changed = false;
  const auto value_of = [&](const std::string& name, const at::Tensor& tensor) {
    const auto found = values.find(name);
    if (found == values.end()) return tensor;
    changed = true;
    return found->second.detach()
        .to(tensor.scalar_type(), /*non_blocking=*/false, /*copy=*/true)
        .set_requires_grad(false);
  };
  Model model = start;
  for (std::size_t i = 0; i < start.layers.size(); ++i) {
    changed = false;
    Layer layer = map_layer(*start.layers[i], static_cast<std::int64_t>(i), value_of);
    if (changed) model.layers[i] = std::make_shared<const Layer>(std::move(layer));
  }
  model.embed_VD = value_of("model.embed_tokens.weight", start.embed_VD);
  model.norm_D = value_of("model.norm.weight", start.norm_D);
  model.lm_head_VD =
      start.lm_head_VD.is_same(start.embed_VD) ? model.embed_VD : value_of("lm_head.weight", start.lm_head_VD);
  return model;
}

}  // namespace lathe
