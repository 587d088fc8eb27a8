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

/// How many heads the rows of a q or k projection are stored in with rotary pairs side by side; 0 for other tensors.
std::int64_t interleaved_heads(const std::string& name, const nlohmann::json& config) {
  if (name.find(".self_attn.q_proj.") != std::string::npos) return config.at("num_attention_heads");
  if (name.find(".self_attn.k_proj.") != std::string::npos) return config.at("num_key_value_heads");
  return 0;
}

void check_heads(const TensorEntry& entry, const GgufFile& file) {
  if (entry.interleaved_heads == 0) return;
  const std::int64_t rows = entry.shape.empty() ? 0 : entry.shape.front();
  check(entry.interleaved_heads > 0 && rows > 0 && rows % (2 * entry.interleaved_heads) == 0 && entry.shape.size() <= 2,
        "[gguf] tensor \"", entry.name, "\" ", shape_text(entry.shape), " does not divide into ",
        entry.interleaved_heads, " heads of pairs; file: ", file.path().string());
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
    entry.interleaved_heads = interleaved_heads(entry.name, parts.config_json);
    check_heads(entry, *file);
    const std::string name = entry.name;
    check(parts.tensors.emplace(name, std::move(entry)).second, "[gguf] two tensors are ", name,
          "; file: ", path.string());
  }
  return Checkpoint(std::move(parts));
}

}  // namespace lathe
