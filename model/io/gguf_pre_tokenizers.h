#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace lathe {

/// The rules that tokenizer.json spells out and that a GGUF file only names (tokenizer.ggml.pre).
struct GgufRules {
  nlohmann::json normalizer;
  nlohmann::json pre_tokenizer;
  bool ignore_merges = false;  ///< a piece that is a token as a whole needs no merges
  bool adds_bos = false;       ///< unless the file says otherwise
};

/// The rules of that name. Throws Error for other names: a guess would give wrong ids. `source` names the file.
/// Source: llama.cpp, src/llama-vocab.cpp, and the tokenizer.json of the models that it was made for.
GgufRules gguf_rules(const std::string& pre, const std::string& source);

}  // namespace lathe
