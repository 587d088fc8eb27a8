#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lathe {

enum class RopeScalingKind { None, Linear, Llama3, Yarn };

/// RoPE frequency scaling, as in Hugging Face `rope_scaling` / `rope_parameters`.
struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::None;
  double factor = 1.0;
  double low_freq_factor = 1.0;   ///< Llama3
  double high_freq_factor = 4.0;  ///< Llama3
  std::int64_t original_max_position_embeddings = 8192;
  double beta_fast = 32.0;        ///< Yarn: from so many turns within the original context on, frequencies stay
  double beta_slow = 1.0;         ///< Yarn: up to so many they are divided by `factor`
  bool truncate = true;           ///< Yarn: the range between is rounded to whole pairs
  double attention_factor = 1.0;  ///< Yarn: cosines and sines are multiplied by it
  double score_factor = 1.0;      ///< DeepSeek's mscale_all_dim: scores are multiplied by it, squared already

  bool operator==(const RopeScaling&) const = default;
};

enum class AttentionKind { Gqa, Mla };

/// One layer's attention. The sizes below `sliding_window` mean something for MLA only; GQA uses the model's own.
/// Names as in DeepSeek-V2 (arXiv:2405.04434, section 2.1) and Hugging Face `deepseek_v3`.
struct AttentionConfig {
  AttentionKind kind = AttentionKind::Gqa;
  std::int64_t sliding_window = 0;  ///< GQA: a query sees so many keys, its own included; 0: all before it
  std::int64_t kv_lora_rank = 0;
  std::int64_t q_lora_rank = 0;  ///< 0: queries are not factored
  std::int64_t qk_nope_head_dim = 0;
  std::int64_t qk_rope_head_dim = 0;
  std::int64_t v_head_dim = 0;
  bool query_bias = true;    ///< unfactored q has a bias where the model has attention_bias; DeepSeek's has none
  bool output_bias = false;  ///< o has a bias of its own, also where the model's other layers have none
  bool latent_norm = false;  ///< kv_a_layernorm: RMSNorm on the latent before kv_b
  /// For each of the qk_rope_head_dim / 2 rotated pairs, which of the model's head_dim / 2 frequencies it turns with.
  std::vector<std::int64_t> rope_pairs;

  bool operator==(const AttentionConfig&) const = default;
};

/// More experts than any model has, and few enough that a config that lies cannot exhaust memory by their names.
inline constexpr std::int64_t kMostExpertsOfLayer = 65'536;
inline constexpr std::int64_t kMostExpertsOfModel = 262'144;

enum class FeedForwardKind { Dense, Moe };
enum class RouterKind { Softmax, Sigmoid };

/// One layer's feed-forward block. The sizes below `kind` mean something for MoE only.
struct FeedForwardConfig {
  FeedForwardKind kind = FeedForwardKind::Dense;
  std::int64_t num_experts = 0;
  std::int64_t num_experts_per_tok = 0;
  std::int64_t moe_intermediate_size = 0;
  std::int64_t shared_expert_intermediate_size = 0;  ///< 0: no shared expert
  bool shared_expert_gate = false;                   ///< Qwen2Moe: the shared output is scaled by sigmoid(gate . x)
  RouterKind router = RouterKind::Softmax;           ///< Sigmoid selects with a correction bias (DeepSeek-V3)
  bool unit_weights = false;   ///< each chosen expert counts whole, as the parts of an MLP that was split do
  bool expert_bias = false;    ///< on the router and on down of every expert, the shared one included
  bool norm_topk_prob = true;  ///< chosen weights are renormalised to sum to one
  double routed_scaling_factor = 1.0;
  std::int64_t n_group = 1;  ///< experts are chosen from the best `topk_group` of so many groups (DeepSeek)
  std::int64_t topk_group = 1;

  bool operator==(const FeedForwardConfig&) const = default;
};

struct LayerConfig {
  AttentionConfig attention;
  FeedForwardConfig feed_forward;

  bool operator==(const LayerConfig&) const = default;
};

/// The sizes of a Llama model and the kind of each of its layers. Field names are Hugging Face's.
struct ModelConfig {
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-5;
  double rope_theta = 10000.0;
  RopeScaling rope_scaling;
  bool tie_word_embeddings = false;
  bool attention_bias = false;         ///< on q, k and v; MLA: on q_a (q if it is not factored) and kv_a
  bool attention_output_bias = false;  ///< on o
  bool qk_norm = false;                ///< GQA: an RMSNorm over each head of q and of k, before RoPE (Qwen3)
  bool mlp_bias = false;
  std::optional<std::int64_t> bos_token_id;
  std::vector<std::int64_t> eos_token_ids;
  std::vector<LayerConfig> layers;

  std::int64_t num_layers() const { return static_cast<std::int64_t>(layers.size()); }
  bool operator==(const ModelConfig&) const = default;
};

/// The experts of all MoE layers together.
std::int64_t num_experts(const ModelConfig& config);

/// Reads a Hugging Face `config.json` of one of the families in config_families.h, of transformers 4 or 5, or of
/// Lathe's own "lathe" (a list of layers). Throws Error for another architecture (listing the supported ones), for what
/// the network here does not compute, a missing key, a wrong type or an impossible size.
ModelConfig config_from_json(const nlohmann::json& json);

/// Whether files of this model store rotary pairs of MLA layers side by side (re0, im0, re1, im1 ...), as DeepSeek's
/// do.
bool stores_interleaved_rope(const nlohmann::json& config_json);

/// Writes what config_from_json reads: model_type "llama" if every layer is one of Llama's, else "lathe".
nlohmann::json config_to_json(const ModelConfig& config);

}  // namespace lathe
