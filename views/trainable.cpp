#include "views/trainable.h"

#include "model/data/sizes.h"

namespace lathe {
namespace {

std::int64_t router_params(const ModelConfig& config, const FeedForwardConfig& moe) {
  return moe.num_experts * (config.hidden_size + (moe.expert_bias ? 1 : 0)) +
         (moe.shared_expert_gate ? config.hidden_size : 0);
}

/// What of an MoE block learns by gradient; the correction bias of sigmoid routers moves by its own rule.
std::int64_t moe_params(const ModelConfig& config, const FeedForwardConfig& moe) {
  return feed_forward_params(config, moe) - (moe.router == RouterKind::Sigmoid ? moe.num_experts : 0);
}

std::int64_t layer_params(const ModelConfig& config, const LayerConfig& layer, Trainable trainable) {
  const bool mla = layer.attention.kind == AttentionKind::Mla;
  const bool moe = layer.feed_forward.kind == FeedForwardKind::Moe;
  const std::int64_t attention = mla ? attention_params(config, layer.attention) : 0;
  const std::int64_t routers = moe ? router_params(config, layer.feed_forward) : 0;
  const std::int64_t experts = moe ? moe_params(config, layer.feed_forward) - routers : 0;
  switch (trainable) {
    case Trainable::Converted:
      return attention + routers + experts;
    case Trainable::Routers:
      return routers;
    case Trainable::Experts:
      return experts;
    case Trainable::Attention:
      return attention;
    case Trainable::All:
      return 0;
  }
  return 0;
}

}  // namespace

std::int64_t trainable_params(const ModelConfig& config, Trainable trainable) {
  if (trainable == Trainable::All) {
    std::int64_t params = sizes_of(config).params;
    for (const LayerConfig& layer : config.layers)
      if (layer.feed_forward.kind == FeedForwardKind::Moe)
        params -= feed_forward_params(config, layer.feed_forward) - moe_params(config, layer.feed_forward);
    return params;
  }
  std::int64_t params = 0;
  for (const LayerConfig& layer : config.layers) params += layer_params(config, layer, trainable);
  return params;
}

}  // namespace lathe
