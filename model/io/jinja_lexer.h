#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lathe::jinja {

/// A piece of a template: text between tags, or one token inside a tag.
struct Token {
  enum class Kind { Text, BlockBegin, BlockEnd, PrintBegin, PrintEnd, Name, Integer, Float, String, Operator, End };
  Kind kind = Kind::End;
  std::string text;  ///< of a string, with its escapes resolved
  int line = 0;
};

/// Cuts a template into tokens, with white space around tags removed as transformers sets Jinja up:
/// trim_blocks, lstrip_blocks, and the "-" and "+" signs; comments are dropped.
/// Throws Error with the line of what cannot be read.
std::vector<Token> tokenize(std::string_view source);

}  // namespace lathe::jinja
