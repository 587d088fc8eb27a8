#include "converters/registry.h"

#include <algorithm>
#include <array>
#include <string>

#include "converters/mla/lathe_mla.h"
#include "converters/mla/transmla.h"
#include "converters/moe/copy.h"
#include "converters/moe/drop_upcycling.h"
#include "converters/moe/lathe_moe.h"
#include "model/data/error.h"

namespace lathe {
namespace {

constexpr std::array kTransMlaKnobs{
    Knob{"qk_rope_head_dim", "even; divides head_dim or is a multiple of it", "32",
         "width of the one key that keeps RoPE; cached for every token"},
    Knob{"kv_lora_rank", "1 to 2 x kv heads x head_dim - qk_rope_head_dim", "96",
         "width of the latent that keys and values are made from; cached for every token"},
    Knob{"freqfold", "divides head_dim / 2, multiple of head_dim / qk_rope_head_dim", "4",
         "adjacent frequencies that share one rotation; more gathers more energy in the rope key, but mixes speeds"},
    Knob{"balance_kv_ratio", "above 0", "1", "size of keys over that of values in the joint low rank"},
};

constexpr std::array kLatheMlaKnobs{
    Knob{"qk_rope_head_dim", "even, 2 to kv heads x head_dim", "32",
         "width of the one key that keeps RoPE; cached for every token"},
    Knob{"kv_lora_rank", "1 to 2 x kv heads x head_dim - qk_rope_head_dim", "96",
         "width of the latent that keys and values are made from; cached for every token"},
    Knob{"context_length", "0, or 2 to 2^24", "0",
         "distances up to which RoPE's loss counts: what the model will serve; 0: the calibration windows' length"},
    Knob{"heal_steps", "0 to 10000", "0",
         "training steps of each layer alone towards what the original makes of the same inputs"},
};

constexpr Knob kNumExperts{"num_experts", "1 to 1024", "8", "experts of the layer"};
constexpr Knob kNumExpertsPerTok{"num_experts_per_tok", "1 to num_experts; 2 or more if norm_topk_prob", "2",
                                 "experts that each token passes through"};
constexpr Knob kRouter{"router", "softmax or sigmoid", "softmax",
                       "how scores become weights; sigmoid chooses with a correction bias"};
constexpr Knob kNormTopkProb{"norm_topk_prob", "true or false", "true", "the chosen weights sum to one"};
constexpr Knob kRouterStd{"router_std", "0 to 10", "0.02", "standard deviation of the router's first weights"};

constexpr std::array kCopyKnobs{
    kNumExperts,
    kNumExpertsPerTok,
    Knob{"noise", "0 to 10", "0", "noise on each expert, as a fraction of each tensor's standard deviation"},
    kRouter,
    kNormTopkProb,
    kRouterStd,
};
constexpr std::array kDropUpcyclingKnobs{
    kNumExperts,
    kNumExpertsPerTok,
    Knob{"drop_ratio", "0 to 1", "0.5", "share of intermediate neurons that each expert draws anew"},
    Knob{"index_mode", "shared or independent", "shared",
         "the same neurons in gate, up and down, or other ones in each of them"},
    kRouter,
    kNormTopkProb,
    kRouterStd,
};

constexpr std::array kLatheMoeKnobs{
    Knob{"num_experts", "1 to 1024", "96", "experts of the layer; many small ones lose least"},
    Knob{"active_fraction", "above 0, at most 1", "0.5", "share of the block's neurons that work for each token"},
    Knob{"shared_fraction", "0 to 1", "0.5", "share of those that are always on: the shared expert"},
};

constexpr std::array kMethods{
    MethodInfo{"lathe-mla", LayerPart::Attention,
               "GQA to MLA: RoPE where scores need it, the low rank that the output needs, o_proj solved anew", "Lathe",
               "qk_rope_head_dim = kv heads x head_dim = kv_lora_rank", kLatheMlaKnobs},
    MethodInfo{"transmla", LayerPart::Attention,
               "GQA to MLA: rotate keys into principal components, keep RoPE on the first, joint low rank of the rest",
               "TransMLA, arXiv:2502.07864", "qk_rope_head_dim = kv heads x head_dim = kv_lora_rank, freqfold 1",
               kTransMlaKnobs},
    MethodInfo{"lathe-moe", LayerPart::FeedForward,
               "The block's own neurons in a shared and many small experts, router and down-projection solved anew",
               "Lathe", "active_fraction 1", kLatheMoeKnobs},
    MethodInfo{"copy", LayerPart::FeedForward, "Sparse upcycling: every expert starts as a copy of the dense block",
               "Komatsuzaki et al., arXiv:2212.05055", "noise 0, norm_topk_prob true", kCopyKnobs},
    MethodInfo{"drop-upcycling", LayerPart::FeedForward,
               "Copies of the dense block of which each draws part of its neurons anew",
               "Nakamura et al., arXiv:2502.19261", "drop_ratio 0, norm_topk_prob true", kDropUpcyclingKnobs},
};

constexpr std::array kAttention{
    std::pair<std::string_view, AttentionMethod>{"lathe-mla", lathe_mla},
    std::pair<std::string_view, AttentionMethod>{"transmla", transmla},
};
constexpr std::array kFeedForward{
    std::pair<std::string_view, FeedForwardMethod>{"copy", copy_experts},
    std::pair<std::string_view, FeedForwardMethod>{"drop-upcycling", drop_upcycling},
    std::pair<std::string_view, FeedForwardMethod>{"lathe-moe", lathe_moe},
};

template <typename Table>
auto find_method(const Table& table, std::string_view name) {
  std::string names;
  for (const auto& [known, method] : table) {
    if (known == name) return method;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  throw Error(text("[methods] there is no method \"", name, "\"; known: ", names));
}

}  // namespace

std::span<const MethodInfo> methods() { return kMethods; }

AttentionMethod attention_method(std::string_view name) { return find_method(kAttention, name); }

bool needs_activations(std::string_view name) { return name == "lathe-moe"; }

bool needs_fisher(std::string_view name) { return name == "lathe-mla"; }

FeedForwardMethod feed_forward_method(std::string_view name) { return find_method(kFeedForward, name); }

}  // namespace lathe
