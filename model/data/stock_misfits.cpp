#include <algorithm>

#include "model/data/error.h"
#include "model/data/stock_fit.h"

namespace lathe {
namespace {

/// The first layer of which `holds` is not true, as a Misfit.
template <typename Holds>
std::optional<Misfit> unless_all(const ModelConfig& config, const Holds& holds, std::string got, std::string expected) {
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    if (!holds(config.layers[i])) return Misfit{text("layer ", i), std::move(got), std::move(expected)};
  }
  return std::nullopt;
}

std::optional<Misfit> unless(bool holds, const char* got, const char* expected) {
  if (holds) return std::nullopt;
  return Misfit{"the model", got, expected};
}

/// The first of the misfits that there is.
std::optional<Misfit> first_of(std::initializer_list<std::optional<Misfit>> misfits) {
  for (const std::optional<Misfit>& misfit : misfits) {
    if (misfit) return misfit;
  }
  return std::nullopt;
}

std::optional<Misfit> not_gqa(const ModelConfig& config) {
  return first_of({unless_all(
                       config, [](const LayerConfig& layer) { return layer.attention.kind == AttentionKind::Gqa; },
                       "MLA", "grouped-query attention"),
                   unless(!config.qk_norm, "norms of queries and keys (qk_norm)", "none")});
}

std::optional<Misfit> windows(const ModelConfig& config) {
  return unless_all(
      config, [](const LayerConfig& layer) { return layer.attention.sliding_window == 0; }, "a sliding window",
      "full attention");
}

/// All layers with experts have the same experts and router, but for the shared expert.
std::optional<Misfit> uneven_experts(const ModelConfig& config) {
  const FeedForwardConfig* first = first_moe(config);
  if (first == nullptr) return std::nullopt;
  const auto alike = [first](const LayerConfig& layer) {
    FeedForwardConfig moe = layer.feed_forward;
    moe.shared_expert_intermediate_size = first->shared_expert_intermediate_size;
    moe.shared_expert_gate = first->shared_expert_gate;
    return !is_moe(layer) || moe == *first;
  };
  return first_of({unless_all(config, alike, "experts or a router of other sizes or kind than the first such layer's",
                              "the same in all layers"),
                   unless(!first->unit_weights, "experts that count whole", "weights that the router gives"),
                   unless(!first->expert_bias, "experts with biases", "none")});
}

std::optional<Misfit> not_softmax(const ModelConfig& config) {
  return first_of(
      {unless_all(
           config, [](const LayerConfig& layer) { return layer.feed_forward.router == RouterKind::Softmax; },
           "a sigmoid router", "a softmax router"),
       unless_all(
           config, [](const LayerConfig& layer) { return layer.feed_forward.routed_scaling_factor == 1.0; },
           "a routed_scaling_factor", "none"),
       unless_all(
           config, [](const LayerConfig& layer) { return layer.feed_forward.n_group == 1; }, "groups of experts",
           "one group")});
}

/// Whether the pairs turn with the frequencies that a RoPE of qk_rope_head_dim dims has by itself.
bool has_own_frequencies(const ModelConfig& config, const AttentionConfig& mla) {
  if (mla.qk_rope_head_dim == 0 || config.head_dim % mla.qk_rope_head_dim != 0) return false;
  const std::int64_t stride = config.head_dim / mla.qk_rope_head_dim;
  for (std::size_t i = 0; i < mla.rope_pairs.size(); ++i) {
    if (mla.rope_pairs[i] != static_cast<std::int64_t>(i) * stride) return false;
  }
  return true;
}

std::optional<Misfit> mla_misfit(const ModelConfig& config) {
  const AttentionConfig first = config.layers.empty() ? AttentionConfig{} : config.layers.front().attention;
  const bool biased = config.attention_bias;
  return first_of({unless_all(
                       config, [](const LayerConfig& layer) { return layer.attention.kind == AttentionKind::Mla; },
                       "grouped-query attention", "MLA in every layer"),
                   unless_all(
                       config, [&](const LayerConfig& layer) { return layer.attention == first; },
                       "MLA of other sizes than layer 0", "one size for all"),
                   unless(first.qk_nope_head_dim > 0, "no part of the heads without RoPE", "qk_nope_head_dim above 0"),
                   unless(has_own_frequencies(config, first),
                          "RoPE frequencies that several heads share or that are not evenly spaced",
                          "every n-th frequency of a head"),
                   unless(!biased || first.q_lora_rank > 0 || !first.query_bias, "a bias on q_proj",
                          "no bias on unfactored queries"),
                   unless(!config.mlp_bias, "biases in the MLP", "none")});
}

/// What the router of DeepSeek-V3 has, and how the shared expert is made to fit.
std::optional<Misfit> not_deepseek_experts(const ModelConfig& config) {
  return first_of(
      {uneven_experts(config),
       unless_all(
           config,
           [](const LayerConfig& layer) { return !is_moe(layer) || layer.feed_forward.router == RouterKind::Sigmoid; },
           "a softmax router", "a sigmoid router"),
       unless_all(
           config, [](const LayerConfig& layer) { return !layer.feed_forward.shared_expert_gate; },
           "a gate on the shared expert", "none")});
}

}  // namespace

bool is_moe(const LayerConfig& layer) { return layer.feed_forward.kind == FeedForwardKind::Moe; }

const FeedForwardConfig* first_moe(const ModelConfig& config) {
  const auto found = std::ranges::find_if(config.layers, is_moe);
  return found == config.layers.end() ? nullptr : &found->feed_forward;
}

std::optional<Misfit> llama_misfit(const ModelConfig& config) {
  return first_of({not_gqa(config), windows(config),
                   unless_all(
                       config, [](const LayerConfig& layer) { return !is_moe(layer); }, "experts", "a dense MLP"),
                   unless(config.attention_bias == config.attention_output_bias, "biases on q, k and v only",
                          "biases on all projections or on none")});
}

std::optional<Misfit> mixtral_misfit(const ModelConfig& config) {
  const std::int64_t window = config.layers.empty() ? 0 : config.layers.front().attention.sliding_window;
  return first_of(
      {not_gqa(config), unless_all(config, is_moe, "a dense MLP", "experts"), uneven_experts(config),
       not_softmax(config),
       unless_all(
           config, [](const LayerConfig& layer) { return layer.feed_forward.norm_topk_prob; },
           "weights that are not renormalised", "norm_topk_prob"),
       unless_all(
           config, [](const LayerConfig& layer) { return layer.feed_forward.shared_expert_intermediate_size == 0; },
           "a shared expert", "routed experts only"),
       unless_all(
           config, [window](const LayerConfig& layer) { return layer.attention.sliding_window == window; },
           "another sliding window than layer 0", "one window for all"),
       unless(!config.attention_bias && !config.attention_output_bias, "attention biases", "none")});
}

std::optional<Misfit> qwen2_moe_misfit(const ModelConfig& config) {
  return first_of(
      {not_gqa(config), windows(config), unless(first_moe(config) != nullptr, "no layer with experts", "at least one"),
       uneven_experts(config), not_softmax(config), unless(!config.attention_output_bias, "a bias on o_proj", "none"),
       unless(!config.mlp_bias, "biases in the MLP", "none")});
}

std::optional<Misfit> deepseek_v3_misfit(const ModelConfig& config) {
  bool dense_after_moe = false;
  for (std::size_t i = 1; i < config.layers.size(); ++i) {
    dense_after_moe = dense_after_moe || (is_moe(config.layers[i - 1]) && !is_moe(config.layers[i]));
  }
  return first_of(
      {mla_misfit(config), not_deepseek_experts(config),
       unless(!dense_after_moe, "a dense MLP after a layer with experts", "dense layers first, then experts")});
}

std::optional<Misfit> glm4_moe_lite_misfit(const ModelConfig& config) {
  return first_of({mla_misfit(config), not_deepseek_experts(config)});
}

}  // namespace lathe
