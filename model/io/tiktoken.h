#pragma once

#include <string>
#include <string_view>

#include "model/io/tokenizer.h"

namespace lathe {

/// Whether the first line is base64, a space and a rank.
bool looks_like_tiktoken(std::string_view bytes);

/// Reads the text form of tokenizer.model in which Meta ships Llama-3: a token in base64 and its rank a line, behind
/// which come the 256 special tokens that the file leaves out. Merges are those that `transformers` derives.
/// Throws Error with the line.
/// Source: llama-models, llama3/tokenizer.py; transformers, convert_slow_tokenizer.py.
GgufVocabulary read_tiktoken(std::string_view bytes, const std::string& where);

}  // namespace lathe
