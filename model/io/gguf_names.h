#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lathe {

/// What a tensor of a GGUF file is, under the names of canonical_names.h.
struct GgufMeaning {
  std::string name;     ///< "model.layers.3.self_attn.q_proj.weight"; of merged experts that of expert 0
  bool merged = false;  ///< all experts of the layer, one below the other: [E, O, I]
};

/// The meaning of "blk.3.attn_q.weight". A name that the tables lack stays, so that the loader reports it as unexpected
/// under the name that the file has.  Source: gguf-py tensor_mapping.py and llama.cpp src/llama-arch.cpp.
GgufMeaning gguf_meaning(std::string_view gguf_name);

/// The name of expert `expert` where `name` is that of expert 0.
std::string expert_name(std::string_view name, std::int64_t expert);

/// The other way: where GGUF keeps a tensor. Experts are merged: only expert 0 has a name, the others have none.
std::optional<std::string> gguf_name(std::string_view name);

}  // namespace lathe
