#pragma once

#include <string_view>
#include <vector>

namespace lathe {

// The patterns that almost all byte-level models use, each run by hand: linear in the text whatever it holds, where a
// regular expression engine backtracks. They split well-formed UTF-8 without losing a byte and append the pieces.

/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
void split_gpt2_words(std::string_view text, std::vector<std::string_view>& pieces);

/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,max_digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+
/// |\s+(?!\S)|\s+   with max_digits 3 for Llama-3 and 1 for Qwen2.
void split_llama3_words(std::string_view text, int max_digits, std::vector<std::string_view>& pieces);

}  // namespace lathe
