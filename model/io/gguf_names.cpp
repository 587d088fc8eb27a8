#include "model/io/gguf_names.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <span>
#include <utility>

#include "model/data/error.h"

namespace lathe {

namespace {

using NamePair = std::pair<std::string_view, std::string_view>;

constexpr std::array<NamePair, 3> kModelNames{
    {{"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}}};
constexpr std::array<NamePair, 23> kLayerNames{{{"attn_norm", "input_layernorm"},
                                                {"attn_q", "self_attn.q_proj"},
                                                {"attn_k", "self_attn.k_proj"},
                                                {"attn_v", "self_attn.v_proj"},
                                                {"attn_output", "self_attn.o_proj"},
                                                {"attn_q_norm", "self_attn.q_norm"},
                                                {"attn_k_norm", "self_attn.k_norm"},
                                                {"attn_q_a", "self_attn.q_a_proj"},
                                                {"attn_q_a_norm", "self_attn.q_a_layernorm"},
                                                {"attn_q_b", "self_attn.q_b_proj"},
                                                {"attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa"},
                                                {"attn_kv_a_norm", "self_attn.kv_a_layernorm"},
                                                {"attn_kv_b", "self_attn.kv_b_proj"},
                                                {"ffn_norm", "post_attention_layernorm"},
                                                {"ffn_gate", "mlp.gate_proj"},
                                                {"ffn_up", "mlp.up_proj"},
                                                {"ffn_down", "mlp.down_proj"},
                                                {"ffn_gate_inp", "mlp.gate"},
                                                {"ffn_gate_shexp", "mlp.shared_expert.gate_proj"},
                                                {"ffn_up_shexp", "mlp.shared_expert.up_proj"},
                                                {"ffn_down_shexp", "mlp.shared_expert.down_proj"},
                                                {"ffn_gate_inp_shexp", "mlp.shared_expert_gate"},
                                                {"exp_probs_b.bias", "mlp.gate.e_score_correction_bias"}}};
// Names of one expert: merged files say "ffn_gate_exps.weight", old ones "ffn_gate.0.weight".
constexpr std::array<NamePair, 3> kExpertNames{
    {{"ffn_gate", "gate_proj"}, {"ffn_up", "up_proj"}, {"ffn_down", "down_proj"}}};
constexpr std::string_view kMerged = "_exps";
constexpr std::string_view kFirstExpert = "mlp.experts.0.";

std::string_view theirs_to_ours(std::span<const NamePair> names, std::string_view name) {
  const auto found = std::ranges::find(names, name, &NamePair::first);
  return found == names.end() ? std::string_view() : found->second;
}

std::string_view ours_to_theirs(std::span<const NamePair> names, std::string_view name) {
  const auto found = std::ranges::find(names, name, &NamePair::second);
  return found == names.end() ? std::string_view() : found->first;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 9 &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// A name cut at its last dot: {"blk.0.attn_q", ".weight"}.
std::pair<std::string_view, std::string_view> without_suffix(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::pair(name, std::string_view())
                                       : std::pair(name.substr(0, dot), name.substr(dot));
}

/// What follows "blk.3." of a name without ".weight", or the empty name.
GgufMeaning layer_meaning(std::string_view stem, std::string_view suffix) {
  if (const auto whole = theirs_to_ours(kLayerNames, text(stem, suffix)); !whole.empty()) return {std::string(whole)};
  if (const auto name = theirs_to_ours(kLayerNames, stem); !name.empty()) return {text(name, suffix)};
  if (stem.ends_with(kMerged)) {
    const auto name = theirs_to_ours(kExpertNames, stem.substr(0, stem.size() - kMerged.size()));
    if (!name.empty()) return {text(kFirstExpert, name, suffix), true};
  }
  const auto [part, number] = without_suffix(stem);
  const auto name = theirs_to_ours(kExpertNames, part);
  if (name.empty() || number.size() < 2 || !is_number(number.substr(1))) return {};
  return {text("mlp.experts", number, ".", name, suffix)};
}

}  // namespace

GgufMeaning gguf_meaning(std::string_view gguf_name) {
  const GgufMeaning unknown{std::string(gguf_name)};
  const auto [stem, suffix] = without_suffix(gguf_name);
  if (const auto name = theirs_to_ours(kModelNames, stem); !name.empty()) return {text(name, suffix)};
  constexpr std::string_view kBlock = "blk.";
  const std::size_t number_end = stem.find('.', kBlock.size());
  if (!stem.starts_with(kBlock) || number_end == std::string_view::npos) return unknown;
  const std::string_view layer = stem.substr(kBlock.size(), number_end - kBlock.size());
  if (!is_number(layer)) return unknown;
  GgufMeaning meaning = layer_meaning(stem.substr(number_end + 1), suffix);
  if (meaning.name.empty()) return unknown;
  meaning.name = text("model.layers.", layer, ".", meaning.name);
  return meaning;
}

std::string expert_name(std::string_view name, std::int64_t expert) {
  const std::size_t at = name.find(kFirstExpert);
  if (at == std::string_view::npos) return std::string(name);
  return text(name.substr(0, at), "mlp.experts.", expert, ".", name.substr(at + kFirstExpert.size()));
}

std::optional<std::string> gguf_name(std::string_view name) {
  const auto [stem, suffix] = without_suffix(name);
  if (const auto theirs = ours_to_theirs(kModelNames, stem); !theirs.empty()) return text(theirs, suffix);
  constexpr std::string_view kLayers = "model.layers.";
  if (!stem.starts_with(kLayers)) return std::nullopt;
  const std::size_t number_end = stem.find('.', kLayers.size());
  if (number_end == std::string_view::npos) return std::nullopt;
  const std::string block = text("blk.", stem.substr(kLayers.size(), number_end - kLayers.size()), ".");
  const std::string_view part = stem.substr(number_end + 1);
  if (const auto whole = ours_to_theirs(kLayerNames, text(part, suffix)); !whole.empty())
    return block + std::string(whole);
  if (const auto theirs = ours_to_theirs(kLayerNames, part); !theirs.empty()) return text(block, theirs, suffix);
  if (!part.starts_with(kFirstExpert)) return std::nullopt;
  const auto theirs = ours_to_theirs(kExpertNames, part.substr(kFirstExpert.size()));
  return theirs.empty() ? std::nullopt : std::optional(text(block, theirs, kMerged, suffix));
}

}  // namespace lathe
