#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/data/config.h"

namespace lathe {

/// The methods that a plan may name; converters/registry.h says what each does.
inline constexpr std::array<std::string_view, 2> kAttentionMethods{"transmla", "lathe-mla"};
inline constexpr std::array<std::string_view, 3> kFeedForwardMethods{"copy", "drop-upcycling", "lathe-moe"};

/// How one layer's attention becomes MLA. Method "transmla" (arXiv:2502.07864) or "lathe-mla", Lathe's own.
struct MlaPlan {
  std::string method = "transmla";
  std::int64_t qk_rope_head_dim = 32;
  std::int64_t kv_lora_rank = 96;
  std::int64_t freqfold = 4;        ///< transmla: adjacent frequencies that share one rotation; 1 keeps RoRoPE exact
  double balance_kv_ratio = 1.0;    ///< transmla: balance of key and value norms before the joint low rank
  std::int64_t context_length = 0;  ///< lathe-mla: distances up to which RoPE's loss counts; 0: of the calibration
  std::int64_t heal_steps = 0;      ///< lathe-mla: training steps of the layer alone towards the original's output

  bool operator==(const MlaPlan&) const = default;
};

enum class IndexMode { Shared, Independent };

/// How one layer's feed-forward becomes MoE. Method "copy" (sparse upcycling, arXiv:2212.05055, with optional noise),
/// "drop-upcycling" (arXiv:2502.19261) or "lathe-moe", Lathe's own split, for which num_experts_per_tok follows from
/// the fractions.
struct MoePlan {
  std::string method = "copy";
  std::int64_t num_experts = 8;
  std::int64_t num_experts_per_tok = 2;
  double noise = 0.0;                        ///< copy: standard deviation as a fraction of each tensor's own
  double drop_ratio = 0.5;                   ///< drop-upcycling: share of intermediate neurons drawn anew
  IndexMode index_mode = IndexMode::Shared;  ///< drop-upcycling: same neurons in gate/up/down, or drawn for each
  double active_fraction = 0.5;              ///< lathe-moe: of the neurons, for each token
  double shared_fraction = 0.5;              ///< lathe-moe: of those, always on
  RouterKind router = RouterKind::Softmax;
  bool norm_topk_prob = true;
  double router_std = 0.02;  ///< standard deviation of the router's first weights

  bool operator==(const MoePlan&) const = default;
};

struct LayerPlan {
  std::optional<MlaPlan> attention;
  std::optional<MoePlan> feed_forward;

  bool empty() const { return !attention && !feed_forward; }
  bool operator==(const LayerPlan&) const = default;
};

/// On which text the activations are collected, and on which the loss is measured. An empty path means the text that
/// ships with the program (assets/text).
struct Calibration {
  std::string text;
  std::int64_t num_samples = 16;
  std::int64_t seq_len = 256;

  bool operator==(const Calibration&) const = default;
};

/// What to do with which layer. `layers` holds only layers that change.
struct ConversionPlan {
  std::string name;
  std::string description;
  std::map<std::int64_t, LayerPlan> layers;
  Calibration calibration;
  std::uint64_t seed = 0;

  bool empty() const { return layers.empty(); }
  std::int64_t num_mla() const;
  std::int64_t num_moe() const;
  bool operator==(const ConversionPlan&) const = default;
};

/// A plan that ships with the program or that the user saved, known by its file's name without ".json".
struct Recipe {
  std::string name;
  std::string path;
  ConversionPlan plan;
};

/// Reads a plan or recipe. Its "layers" list groups layers with equal settings:
///   {"layers": [8, 10], "attention": {"method": "transmla", ...}}  or  {"layers": [11], "feed_forward": {...}}.
/// A method knows only its own settings. Throws Error on an unknown key, method or value, naming the known ones.
ConversionPlan plan_from_json(const nlohmann::json& json);
nlohmann::json plan_to_json(const ConversionPlan& plan);

/// The frequencies that the rotated pairs of an MLA layer turn with: in each group of `freqfold` adjacent frequencies
/// the same number of pairs keeps RoPE, spread evenly over the group. Ordered by group. "lathe-mla" chooses them by the
/// text: zeros stand for them until then.
std::vector<std::int64_t> planned_rope_pairs(const MlaPlan& plan, const ModelConfig& config);

/// How "lathe-moe" divides `neurons`: those of the shared expert, those of each other one, and how many of these work
/// for a token. Neurons that do not divide evenly are always on. Where nothing is left, a size is 0.
struct SplitSizes {
  std::int64_t shared = 0, expert = 0, experts_per_token = 0;
};
SplitSizes split_sizes(const MoePlan& plan, std::int64_t neurons);

/// One sentence for each thing that makes the plan impossible on this model; empty if it can run.
std::vector<std::string> plan_problems(const ConversionPlan& plan, const ModelConfig& config);

/// The configuration after the plan, without touching a weight. Throws Error with all plan_problems().
ModelConfig planned_config(const ConversionPlan& plan, const ModelConfig& config);

}  // namespace lathe
