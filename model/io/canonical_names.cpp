#include "model/io/canonical_names.h"

#include <array>
#include <charconv>
#include <utility>

#include "model/data/config.h"
#include "model/data/error.h"

namespace lathe {

namespace {

using Renaming = std::pair<std::string_view, std::string_view>;

// Source: Hugging Face conversion_mapping.py and the checkpoints of the model families.
constexpr std::array<Renaming, 6> kRenamings{{{".block_sparse_moe.", ".mlp."},
                                              {".w1.weight", ".gate_proj.weight"},
                                              {".w2.weight", ".down_proj.weight"},
                                              {".w3.weight", ".up_proj.weight"},
                                              {".shared_experts.", ".shared_expert."},
                                              {"model.language_model.", "model."}}};

std::string canonical_name(std::string name) {
  for (const auto& [theirs, ours] : kRenamings) {
    if (const std::size_t at = name.find(theirs); at != std::string::npos) name.replace(at, theirs.size(), ours);
  }
  return name;
}

/// The layer that the tensor belongs to, or -1.
std::int64_t layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "model.layers.";
  std::int64_t layer = -1;
  if (name.starts_with(kPrefix)) std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
  return layer;
}

std::int64_t integer_or(const nlohmann::json& config, const char* key, std::int64_t otherwise) {
  const auto found = config.find(key);
  return found != config.end() && found->is_number_integer() ? found->get<std::int64_t>() : otherwise;
}

/// Where the rotary rows of the projection lie. Source: Hugging Face modeling_deepseek_v3,
/// apply_rotary_pos_emb_interleave.
InterleavedRows rotary_rows(const nlohmann::json& config, const TensorEntry& entry) {
  const std::int64_t rope = integer_or(config, "qk_rope_head_dim", 0);
  const std::int64_t nope = integer_or(config, "qk_nope_head_dim", 0);
  const std::int64_t rank = integer_or(config, "kv_lora_rank", 0);
  const auto ends = [&](std::string_view part) {
    return entry.name.ends_with(text(".self_attn.", part, ".weight")) ||
           entry.name.ends_with(text(".self_attn.", part, ".bias"));
  };
  InterleavedRows rows;
  if (ends("q_proj") || ends("q_b_proj")) rows = {.block = nope + rope, .first = nope, .count = rope};
  if (ends("kv_a_proj_with_mqa")) rows = {.block = rank + rope, .first = rank, .count = rope};
  // What does not divide has another shape than the config says: the loader names it.
  const bool fits = rows.block > 0 && !entry.shape.empty() && entry.shape.front() % rows.block == 0 && rope % 2 == 0;
  return fits ? rows : InterleavedRows{};
}

}  // namespace

void use_canonical_names(CheckpointParts& parts) {
  const nlohmann::json& config = parts.config_json;
  const bool interleaved = config.contains("model_type") && stores_interleaved_rope(config);
  const bool predicts_ahead = integer_or(config, "num_nextn_predict_layers", 0) > 0;
  const std::int64_t layers = integer_or(config, "num_hidden_layers", 0);
  std::map<std::string, TensorEntry, std::less<>> renamed;
  std::int64_t left_out = 0;
  for (auto& [name, entry] : parts.tensors) {
    if (predicts_ahead && layer_of(name) >= layers) {
      ++left_out;
      continue;
    }
    if (interleaved) entry.interleaved = rotary_rows(config, entry);
    const auto [place, is_new] = renamed.try_emplace(canonical_name(name), std::move(entry));
    if (!is_new) {
      throw Error({.code = ErrorCode::DuplicateKey,
                   .what = "two tensors have one meaning",
                   .where = parts.path.string(),
                   .got = text("\"", name, "\" and \"", place->second.name, "\""),
                   .expected = "every tensor once",
                   .hint = "get the model's files again"});
    }
  }
  if (left_out > 0) {
    parts.warnings.push_back(text(left_out, " tensors of the layers for multi-token prediction are left out"));
  }
  parts.tensors = std::move(renamed);
}

}  // namespace lathe
