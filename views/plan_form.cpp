#include "views/plan_form.h"

#include <algorithm>
#include <string>
#include <vector>

#include "views/widgets.h"

namespace lathe {
namespace {

template <typename Names>
bool method_combo(std::string& method, const Names& names, const char* tooltip) {
  label_left("Method", tooltip);
  bool changed = false;
  if (!ImGui::BeginCombo("##method", method.c_str())) return false;
  for (const std::string_view name : names) {
    if (ImGui::Selectable(std::string(name).c_str(), method == name)) {
      method = name;
      changed = true;
    }
  }
  ImGui::EndCombo();
  return changed;
}

/// A choice among the sizes that fit: powers of two from 2 and the divisors of head_dim.
bool rope_combo(MlaPlan& plan, const ModelConfig& config) {
  label_left("RoPE dims",
             "qk_rope_head_dim: of each head these keep their position, shared by all heads; they are cached beside "
             "the latent");
  bool changed = false;
  if (!ImGui::BeginCombo("##rope", format("%lld", static_cast<long long>(plan.qk_rope_head_dim)).c_str())) return false;
  for (std::int64_t size = 2; size <= config.head_dim; size += 2) {
    if (config.head_dim % size != 0) continue;
    if (ImGui::Selectable(format("%lld", static_cast<long long>(size)).c_str(), size == plan.qk_rope_head_dim)) {
      plan.qk_rope_head_dim = size;
      changed = true;
    }
  }
  ImGui::EndCombo();
  return changed;
}

/// TransMLA takes fewer sizes: the nearest below that divides head_dim.
void fit_rope(MlaPlan& plan, const ModelConfig& config) {
  if (plan.method != "transmla") return;
  plan.qk_rope_head_dim = std::min(plan.qk_rope_head_dim, config.head_dim);
  while (plan.qk_rope_head_dim > 2 && config.head_dim % plan.qk_rope_head_dim != 0) plan.qk_rope_head_dim -= 2;
}

bool fold_combo(MlaPlan& plan, const ModelConfig& config) {
  label_left("FreqFold", "Adjacent frequencies that share one rotation when heads are merged; 1 keeps RoRoPE exact");
  bool changed = false;
  if (!ImGui::BeginCombo("##fold", format("%lld", static_cast<long long>(plan.freqfold)).c_str())) return false;
  for (std::int64_t fold = 1; fold <= config.head_dim / 2; fold *= 2) {
    if (config.head_dim / 2 % fold != 0) continue;
    if (ImGui::Selectable(format("%lld", static_cast<long long>(fold)).c_str(), fold == plan.freqfold)) {
      plan.freqfold = fold;
      changed = true;
    }
  }
  ImGui::EndCombo();
  return changed;
}

bool rope_slider(MlaPlan& plan, const ModelConfig& config) {
  const bool changed = slider_row("RoPE dims", plan.qk_rope_head_dim, 2, config.num_key_value_heads * config.head_dim,
                                  "qk_rope_head_dim: so many keep their position, chosen where scores would lose most "
                                  "without it; they are cached beside the latent");
  plan.qk_rope_head_dim -= plan.qk_rope_head_dim % 2;
  return changed;
}

/// What TransMLA alone has to be told.
bool transmla_rows(MlaPlan& plan, const ModelConfig& config) {
  bool changed = rope_combo(plan, config);
  changed |= fold_combo(plan, config);
  changed |= real_row("Balance", plan.balance_kv_ratio, "%.3g",
                      "Norm of keys over values before the joint low rank, so that neither swamps the other");
  return changed;
}

bool lathe_mla_rows(MlaPlan& plan, const ModelConfig& config) {
  bool changed = rope_slider(plan, config);
  changed |= slider_row("Context", plan.context_length, 0, config.max_position_embeddings,
                        "context_length: the text length that the model will serve; farther tokens then count for the "
                        "choice of what keeps RoPE. 0: as long as the calibration windows");
  changed |= slider_row("Heal steps", plan.heal_steps, 0, 256,
                        "heal_steps: each layer alone is trained so long towards what the original makes of the same "
                        "inputs, right after it is converted. 0: not at all");
  return changed;
}

bool lathe_moe_rows(MoePlan& plan) {
  bool changed = slider_row("Experts", plan.num_experts, 1, 256, "num_experts: many small ones lose least");
  changed |= real_row("Active", plan.active_fraction, "%.3g", "Share of the MLP's neurons that work for each token");
  changed |= real_row("Always on", plan.shared_fraction, "%.3g",
                      "Share of the active neurons that see every token: the shared expert");
  return changed;
}

bool own_rows(MoePlan& plan) {
  if (plan.method == "copy") {
    return real_row("Noise", plan.noise, "%.3g", "Standard deviation as a fraction of each tensor's own");
  }
  bool changed = real_row("Drawn anew", plan.drop_ratio, "%.3g", "Share of the neurons of each expert");
  int mode = static_cast<int>(plan.index_mode);
  label_left("Neurons", "The same in gate, up and down, or drawn for each");
  if (segmented("index mode", {"Shared", "Independent"}, mode)) {
    plan.index_mode = static_cast<IndexMode>(mode);
    changed = true;
  }
  return changed;
}

/// Of the methods whose experts are the MLP's size.
bool copied_rows(MoePlan& plan) {
  bool changed = slider_row("Experts", plan.num_experts, 1, 64, "num_experts");
  plan.num_experts_per_tok = std::min(plan.num_experts_per_tok, plan.num_experts);
  changed |= slider_row("Per token", plan.num_experts_per_tok, 1, std::max<std::int64_t>(1, plan.num_experts),
                        "num_experts_per_tok: experts that each token goes to");
  changed |= own_rows(plan);
  int router = static_cast<int>(plan.router);
  label_left("Router",
             "Softmax over all experts, or sigmoid of each with a correction bias that balances (DeepSeek-V3)");
  if (segmented("router", {"Softmax", "Sigmoid"}, router)) {
    plan.router = static_cast<RouterKind>(router);
    changed = true;
  }
  changed |= ImGui::Checkbox("renormalise the chosen weights", &plan.norm_topk_prob);
  explain(
      "norm_topk_prob: the weights of the chosen experts sum to one. Copies without noise then equal the MLP exactly");
  changed |= real_row("Router spread", plan.router_std, "%.3g", "Standard deviation of the router's first weights");
  return changed;
}

}  // namespace

bool mla_form(MlaPlan& plan, const ModelConfig& config) {
  bool changed =
      method_combo(plan.method, kAttentionMethods,
                   "lathe-mla: RoPE stays where scores need it, the rank keeps what the output needs, o_proj "
                   "is solved anew. transmla: merge the heads, concentrate RoPE, drop it where it is weak, "
                   "balance, cut the joint rank, absorb (arXiv:2502.07864)");
  if (changed) fit_rope(plan, config);
  const std::int64_t full = 2 * config.num_key_value_heads * config.head_dim - plan.qk_rope_head_dim;
  changed |= slider_row("Latent rank", plan.kv_lora_rank, 1, std::max<std::int64_t>(1, full),
                        "kv_lora_rank: numbers of the latent that replaces keys and values in the cache. At full rank "
                        "the low rank loses nothing");
  changed |= plan.method == "transmla" ? transmla_rows(plan, config) : lathe_mla_rows(plan, config);
  return changed;
}

bool moe_form(MoePlan& plan) {
  bool changed = method_combo(plan.method, kFeedForwardMethods,
                              "lathe-moe: the MLP's own neurons in a shared and many small experts; nothing is added. "
                              "copy: each expert is the MLP, with optional noise (sparse upcycling, arXiv:2212.05055). "
                              "drop-upcycling: part of each expert is drawn anew (arXiv:2502.19261)");
  if (changed) plan.num_experts = plan.method == "lathe-moe" ? 96 : MoePlan().num_experts;
  changed |= plan.method == "lathe-moe" ? lathe_moe_rows(plan) : copied_rows(plan);
  return changed;
}

}  // namespace lathe
