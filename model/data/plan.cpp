#include "model/data/plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "model/data/error.h"

namespace lathe {
namespace {

constexpr std::int64_t kMostExperts = 1024;
constexpr std::int64_t kMostTokens = std::int64_t{1} << 24;

template <typename Names>
bool known(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// How many times fewer frequencies turn in the shared rope key than in one head; TransMLA's "collapse".
std::int64_t collapse(const MlaPlan& plan, const ModelConfig& config) {
  return plan.qk_rope_head_dim < config.head_dim ? config.head_dim / plan.qk_rope_head_dim : 1;
}

std::vector<std::string> rope_problems(const MlaPlan& plan, const ModelConfig& config) {
  const std::int64_t rope = plan.qk_rope_head_dim;
  const std::int64_t head = config.head_dim;
  const std::int64_t keys = config.num_key_value_heads * head;
  if (rope < 2 || rope % 2 != 0 || rope > keys)
    return {text("qk_rope_head_dim is ", rope, "; it must be an even number from 2 to ", keys)};
  if (plan.method == "lathe-mla") return {};  // it chooses frequencies one by one
  if (rope < head ? head % rope != 0 : rope % head != 0)
    return {text("qk_rope_head_dim is ", rope, "; it must divide head_dim ", head, " or be a multiple of it")};
  const std::int64_t fold = plan.freqfold;
  if (fold < 1 || (head / 2) % fold != 0 || fold % collapse(plan, config) != 0)
    return {text("freqfold is ", fold, "; with qk_rope_head_dim ", rope, " it must be a multiple of ",
                 collapse(plan, config), " that divides head_dim / 2 = ", head / 2)};
  return {};
}

constexpr std::int64_t kMostHealSteps = 10'000;

std::vector<std::string> mla_problems(const MlaPlan& plan, const ModelConfig& config) {
  if (!known(kAttentionMethods, plan.method)) return {text("there is no attention method \"", plan.method, "\"")};
  std::vector<std::string> problems = rope_problems(plan, config);
  const std::int64_t full_rank = 2 * config.num_key_value_heads * config.head_dim - plan.qk_rope_head_dim;
  if (plan.kv_lora_rank < 1 || plan.kv_lora_rank > full_rank)
    problems.push_back(text("kv_lora_rank is ", plan.kv_lora_rank, "; with qk_rope_head_dim ", plan.qk_rope_head_dim,
                            " it must be 1 to ", full_rank));
  const std::int64_t context = plan.context_length;
  if (context != 0 && (context < 2 || context > kMostTokens))
    problems.push_back(text("context_length is ", context, "; it must be 0, or 2 to ", kMostTokens));
  if (plan.heal_steps < 0 || plan.heal_steps > kMostHealSteps)
    problems.push_back(text("heal_steps is ", plan.heal_steps, "; it must be 0 to ", kMostHealSteps));
  if (!(plan.balance_kv_ratio > 0) || !std::isfinite(plan.balance_kv_ratio))
    problems.push_back(text("balance_kv_ratio is ", plan.balance_kv_ratio, "; it must be above 0"));
  return problems;
}

std::vector<std::string> split_problems(const MoePlan& plan, std::int64_t neurons) {
  if (!(plan.active_fraction > 0 && plan.active_fraction <= 1))
    return {text("active_fraction is ", plan.active_fraction, "; it must be above 0 and at most 1")};
  if (!(plan.shared_fraction >= 0 && plan.shared_fraction <= 1))
    return {text("shared_fraction is ", plan.shared_fraction, "; it must be 0 to 1")};
  const SplitSizes sizes = split_sizes(plan, neurons);
  if (sizes.expert < 1 || sizes.experts_per_token < 1)
    return {text(plan.num_experts, " experts of the ", neurons, " neurons, ", plan.active_fraction,
                 " of them active, leave none for an expert or no expert for a token; choose fewer experts or other "
                 "fractions")};
  return {};
}

std::vector<std::string> moe_problems(const MoePlan& plan, const ModelConfig& config) {
  if (!known(kFeedForwardMethods, plan.method)) return {text("there is no feed-forward method \"", plan.method, "\"")};
  std::vector<std::string> problems;
  if (config.mlp_bias) problems.push_back("its MLP has biases, which experts have no place for");
  if (plan.num_experts < 1 || plan.num_experts > kMostExperts)
    problems.push_back(text("num_experts is ", plan.num_experts, "; it must be 1 to ", kMostExperts));
  if (plan.method == "lathe-moe") {
    if (problems.empty()) problems = split_problems(plan, config.intermediate_size);
    return problems;
  }
  if (plan.num_experts_per_tok < 1 || plan.num_experts_per_tok > plan.num_experts)
    problems.push_back(
        text("num_experts_per_tok is ", plan.num_experts_per_tok, "; it must be 1 to num_experts ", plan.num_experts));
  if (plan.num_experts_per_tok == 1 && plan.norm_topk_prob)
    problems.push_back(
        "one expert per token with renormalised weights never trains its router, whose weight is always "
        "1; choose two experts per token or turn norm_topk_prob off");
  const auto share = [&problems](const char* key, double value, double most) {
    if (!(value >= 0 && value <= most)) problems.push_back(text(key, " is ", value, "; it must be 0 to ", most));
  };
  share("noise", plan.noise, 10.0);
  share("drop_ratio", plan.drop_ratio, 1.0);
  share("router_std", plan.router_std, 10.0);
  return problems;
}

// What MLA has no place for: the conversion would be another function, and nothing would say so.
std::vector<std::string> problems_of_source(const AttentionConfig& attention, const ModelConfig& config) {
  if (attention.kind == AttentionKind::Mla) return {"its attention is MLA already"};
  if (attention.sliding_window > 0) return {"its attention has a sliding window, which MLA has no place for"};
  if (config.qk_norm) return {"it normalises each head's queries and keys (qk_norm), which MLA has no place for"};
  if (config.rope_scaling.attention_factor != 1.0)
    return {"its RoPE also scales what it turns (YaRN's attention_factor), which keys without RoPE would lose"};
  return {};
}

std::vector<std::string> layer_problems(std::int64_t index, const LayerPlan& plan, const ModelConfig& config) {
  const std::int64_t layers = config.num_layers();
  if (index < 0 || index >= layers) return {text("there is no such layer; the model has layers 0 to ", layers - 1)};
  if (plan.empty()) return {"the plan names it but changes nothing"};
  const LayerConfig& layer = config.layers[static_cast<std::size_t>(index)];
  std::vector<std::string> problems;
  if (plan.attention) {
    problems = problems_of_source(layer.attention, config);
    if (problems.empty()) problems = mla_problems(*plan.attention, config);
  }
  if (plan.feed_forward) {
    const std::vector<std::string> more = layer.feed_forward.kind == FeedForwardKind::Moe
                                              ? std::vector<std::string>{"its feed-forward is MoE already"}
                                              : moe_problems(*plan.feed_forward, config);
    problems.insert(problems.end(), more.begin(), more.end());
  }
  return problems;
}

std::vector<std::string> calibration_problems(const Calibration& calibration, const ModelConfig& config) {
  std::vector<std::string> problems;
  if (calibration.num_samples < 1 || calibration.num_samples > kMostTokens)
    problems.push_back(text("Calibration num_samples is ", calibration.num_samples, "; it must be at least 1."));
  const std::int64_t most = std::min(config.max_position_embeddings, kMostTokens);
  if (calibration.seq_len < 2 || calibration.seq_len > most)
    problems.push_back(
        text("Calibration seq_len is ", calibration.seq_len, "; it must be 2 to the model's ", most, " positions."));
  if (problems.empty() && calibration.num_samples > kMostTokens / calibration.seq_len)
    problems.push_back(text("Calibration would take num_samples ", calibration.num_samples, " x seq_len ",
                            calibration.seq_len, " tokens; at most ", kMostTokens, " are allowed."));
  return problems;
}

// What the layers must not exceed together, so that what is saved can be opened again.
std::int64_t experts_after(const ConversionPlan& plan, const ModelConfig& config) {
  std::int64_t experts = num_experts(config);
  for (const auto& [index, layer] : plan.layers) {
    if (layer.feed_forward) experts += std::clamp<std::int64_t>(layer.feed_forward->num_experts, 0, kMostExperts);
  }
  return experts;
}

std::string layer_list(const std::vector<std::int64_t>& layers) {
  std::string list = layers.size() == 1 ? "Layer" : "Layers";
  for (std::size_t i = 0; i < layers.size(); ++i) list += text(i == 0 ? " " : ", ", layers[i]);
  return list;
}

AttentionConfig planned_attention(const MlaPlan& plan, const ModelConfig& config) {
  return {.kind = AttentionKind::Mla,
          .kv_lora_rank = plan.kv_lora_rank,
          .q_lora_rank = 0,
          .qk_nope_head_dim = config.head_dim,
          .qk_rope_head_dim = plan.qk_rope_head_dim,
          .v_head_dim = config.head_dim,
          .output_bias = plan.method == "lathe-mla",
          .latent_norm = false,
          .rope_pairs = planned_rope_pairs(plan, config)};
}

FeedForwardConfig planned_split(const MoePlan& plan, const ModelConfig& config) {
  const SplitSizes sizes = split_sizes(plan, config.intermediate_size);
  return {.kind = FeedForwardKind::Moe,
          .num_experts = plan.num_experts,
          .num_experts_per_tok = sizes.experts_per_token,
          .moe_intermediate_size = sizes.expert,
          .shared_expert_intermediate_size = sizes.shared,
          .unit_weights = true,
          .expert_bias = true};
}

FeedForwardConfig planned_feed_forward(const MoePlan& plan, const ModelConfig& config) {
  if (plan.method == "lathe-moe") return planned_split(plan, config);
  return {.kind = FeedForwardKind::Moe,
          .num_experts = plan.num_experts,
          .num_experts_per_tok = plan.num_experts_per_tok,
          .moe_intermediate_size = config.intermediate_size,
          .shared_expert_intermediate_size = 0,
          .shared_expert_gate = false,
          .router = plan.router,
          .norm_topk_prob = plan.norm_topk_prob,
          .routed_scaling_factor = 1.0};
}

}  // namespace

std::int64_t ConversionPlan::num_mla() const {
  return std::count_if(layers.begin(), layers.end(),
                       [](const auto& item) { return item.second.attention.has_value(); });
}

std::int64_t ConversionPlan::num_moe() const {
  return std::count_if(layers.begin(), layers.end(),
                       [](const auto& item) { return item.second.feed_forward.has_value(); });
}

SplitSizes split_sizes(const MoePlan& plan, std::int64_t neurons) {
  const double active = static_cast<double>(neurons) * plan.active_fraction;
  SplitSizes sizes;
  sizes.expert = (neurons - std::llround(active * plan.shared_fraction)) / plan.num_experts;
  sizes.shared = neurons - sizes.expert * plan.num_experts;
  if (sizes.expert < 1) return sizes;
  const auto routed = active - static_cast<double>(sizes.shared);
  sizes.experts_per_token =
      std::clamp<std::int64_t>(std::llround(routed / static_cast<double>(sizes.expert)), 0, plan.num_experts);
  return sizes;
}

std::vector<std::int64_t> planned_rope_pairs(const MlaPlan& plan, const ModelConfig& config) {
  if (plan.method == "lathe-mla") return std::vector<std::int64_t>(static_cast<std::size_t>(plan.qk_rope_head_dim / 2));
  const std::int64_t stride = collapse(plan, config);
  const std::int64_t slots = plan.freqfold / stride;
  const std::int64_t groups = config.head_dim / 2 / plan.freqfold;
  const std::int64_t kept = plan.qk_rope_head_dim / 2 / groups;
  std::vector<std::int64_t> pairs;
  for (std::int64_t group = 0; group < groups; ++group)
    for (std::int64_t pair = 0; pair < kept; ++pair) pairs.push_back(group * plan.freqfold + pair % slots * stride);
  return pairs;
}

std::vector<std::string> plan_problems(const ConversionPlan& plan, const ModelConfig& config) {
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> grouped;
  for (const auto& [index, layer] : plan.layers) {
    for (const std::string& problem : layer_problems(index, layer, config)) {
      const auto same = std::find_if(grouped.begin(), grouped.end(), [&](const auto& g) { return g.first == problem; });
      if (same != grouped.end()) {
        same->second.push_back(index);
      } else {
        grouped.push_back({problem, {index}});
      }
    }
  }
  std::vector<std::string> problems;
  for (const auto& [problem, layers] : grouped) problems.push_back(layer_list(layers) + ": " + problem + ".");
  const std::vector<std::string> more = calibration_problems(plan.calibration, config);
  problems.insert(problems.end(), more.begin(), more.end());
  if (const std::int64_t experts = experts_after(plan, config); experts > kMostExpertsOfModel)
    problems.push_back(
        text("The model would have ", experts, " experts; at most ", kMostExpertsOfModel, " are allowed."));
  if (plan.seed > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    problems.push_back(text("The seed is ", plan.seed, "; it must fit in 63 bits."));
  return problems;
}

ModelConfig planned_config(const ConversionPlan& plan, const ModelConfig& config) {
  std::string sentences;
  for (const std::string& problem : plan_problems(plan, config)) sentences += "\n  " + problem;
  check(sentences.empty(), "[plan] it cannot run on this model:", sentences);
  ModelConfig planned = config;
  for (const auto& [index, layer] : plan.layers) {
    LayerConfig& target = planned.layers[static_cast<std::size_t>(index)];
    if (layer.attention) target.attention = planned_attention(*layer.attention, config);
    if (layer.feed_forward) target.feed_forward = planned_feed_forward(*layer.feed_forward, config);
  }
  return planned;
}

}  // namespace lathe
