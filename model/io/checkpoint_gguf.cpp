#include <algorithm>
#include <array>
#include <utility>

#include "model/data/error.h"
#include "model/io/gguf.h"
#include "model/io/gguf_config.h"
#include "model/io/open_checkpoint.h"

namespace lathe {

namespace {

using NamePair = std::pair<std::string_view, std::string_view>;

// Source: gguf-py tensor_mapping.py and llama.cpp conversion/llama.py.
constexpr std::array<NamePair, 3> kModelNames{
    {{"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}}};
constexpr std::array<NamePair, 9> kLayerNames{{{"attn_norm", "input_layernorm"},
                                               {"attn_q", "self_attn.q_proj"},
                                               {"attn_k", "self_attn.k_proj"},
                                               {"attn_v", "self_attn.v_proj"},
                                               {"attn_output", "self_attn.o_proj"},
                                               {"ffn_norm", "post_attention_layernorm"},
                                               {"ffn_gate", "mlp.gate_proj"},
                                               {"ffn_up", "mlp.up_proj"},
                                               {"ffn_down", "mlp.down_proj"}}};

std::string_view mapped(std::span<const NamePair> names, std::string_view gguf_name) {
  const auto found =
      std::find_if(names.begin(), names.end(), [&](const NamePair& pair) { return pair.first == gguf_name; });
  return found == names.end() ? std::string_view() : found->second;
}

/// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight". A name that the tables lack stays, so that the
/// loader reports it as unexpected under the name that the file has.
std::string hf_name(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::string(name);
  const std::string_view suffix = name.substr(dot);  // ".weight" or ".bias"
  const std::string_view stem = name.substr(0, dot);
  if (const auto model_name = mapped(kModelNames, stem); !model_name.empty()) return text(model_name, suffix);
  const std::size_t number_end = stem.find('.', 4);
  if (!stem.starts_with("blk.") || number_end == std::string_view::npos) return std::string(name);
  const std::string_view layer_name = mapped(kLayerNames, stem.substr(number_end + 1));
  if (layer_name.empty()) return std::string(name);
  return text("model.layers.", stem.substr(4, number_end - 4), ".", layer_name, suffix);
}

/// The rows of a q or k projection, weight or bias, that llama.cpp stores with rotary pairs side by side.
InterleavedRows interleaved_rows(const TensorEntry& entry, const nlohmann::json& config, const std::string& path) {
  const bool is_query = entry.name.find(".self_attn.q_proj.") != std::string::npos;
  const bool is_key = entry.name.find(".self_attn.k_proj.") != std::string::npos;
  if (!is_query && !is_key) return {};
  const auto heads = config.at(is_query ? "num_attention_heads" : "num_key_value_heads").get<std::int64_t>();
  const std::int64_t rows = entry.shape.empty() ? 0 : entry.shape.front();
  if (heads <= 0 || rows <= 0 || rows % (2 * heads) != 0 || entry.shape.size() > 2) {
    throw Error({.code = ErrorCode::Config,
                 .what = "the rows of a projection do not divide into heads of rotary pairs",
                 .where = text("tensor \"", entry.name, "\"; file: ", path),
                 .got = text("shape ", shape_text(entry.shape), " and ", heads, " heads"),
                 .expected = "an even number of rows for each head",
                 .hint = "the file's metadata belongs to another model: convert the model to GGUF again"});
  }
  return {.block = rows / heads, .first = 0, .count = rows / heads};
}

}  // namespace

Checkpoint open_gguf_checkpoint(const std::filesystem::path& path) {
  const auto file = std::make_shared<const GgufFile>(path);
  CheckpointParts parts;
  parts.path = path;
  parts.folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  parts.config_json = config_from_gguf(*file);
  parts.warnings = file->warnings();
  parts.gguf = file;
  for (const GgufTensor& tensor : file->tensors()) {
    if (tensor.name == "rope_freqs.weight") continue;  // not a weight: config_from_gguf reads it
    TensorEntry entry{hf_name(tensor.name), tensor.type, tensor.shape, tensor.bytes};
    entry.interleaved = interleaved_rows(entry, parts.config_json, path.string());
    const std::string name = entry.name;
    if (!parts.tensors.emplace(name, std::move(entry)).second) {
      throw Error({.code = ErrorCode::DuplicateKey,
                   .what = "two tensors have one meaning",
                   .where = path.string(),
                   .got = text("\"", tensor.name, "\" and another one for ", name),
                   .expected = "every tensor once",
                   .hint = "convert the model to GGUF again"});
    }
  }
  return Checkpoint(std::move(parts));
}

}  // namespace lathe
