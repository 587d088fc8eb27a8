#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string_view>

namespace lathe {

/// The names a forward pass reports under, in the order of a block.
namespace tap {
inline constexpr std::string_view kAttentionNorm = "attn_norm";  // [B,T,D]
inline constexpr std::string_view kKey = "key";      // [B,T,G*K], GQA only: of all heads, before norm and RoPE
inline constexpr std::string_view kValue = "value";  // [B,T,G*K], GQA only
inline constexpr std::string_view kAttentionWeights = "attn_weights";  // [B,H,T,S], computed only when wanted
inline constexpr std::string_view kLatent = "latent";                  // [B,T,R], MLA only
inline constexpr std::string_view kAttentionOut = "attn_out";          // [B,T,D], before the residual
inline constexpr std::string_view kFeedForwardNorm = "ffn_norm";       // [B,T,D]
inline constexpr std::string_view kRouterLogits = "router_logits";     // [N,E], MoE only
inline constexpr std::string_view kExpertChoice = "expert_choice";     // [N,K] int64, MoE only
inline constexpr std::string_view kExpertWeights = "expert_weights";   // [N,K], MoE only
inline constexpr std::string_view kFeedForwardOut = "ffn_out";         // [B,T,D], before the residual
inline constexpr std::string_view kBlockOut = "block_out";             // [B,T,D]
}  // namespace tap

/// The single observation point of the network. A default Probe watches nothing and costs one branch a tap.
class Probe {
 public:
  using Wants = std::function<bool(std::string_view name, std::int64_t layer)>;
  using Sink = std::function<void(std::string_view name, std::int64_t layer, const at::Tensor& value)>;

  Probe() = default;
  Probe(Wants wants, Sink sink) : wants_(std::move(wants)), sink_(std::move(sink)) {}

  bool wants(std::string_view name, std::int64_t layer) const { return wants_ && wants_(name, layer); }

  void operator()(std::string_view name, std::int64_t layer, const at::Tensor& value) const {
    if (wants(name, layer)) sink_(name, layer, value);
  }

 private:
  Wants wants_;
  Sink sink_;
};

}  // namespace lathe
