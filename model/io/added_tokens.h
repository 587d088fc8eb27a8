#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe {

/// A token that is found in text by its spelling, before any other rule cuts the text.
struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  bool special = false;      ///< left out when decoding without special tokens
  bool single_word = false;  ///< matches only where no word character touches it
  bool lstrip = false;       ///< swallows the spaces on its left
  bool rstrip = false;       ///< swallows the spaces on its right
  bool normalized = false;   ///< is looked for after normalization
};

/// Finds added tokens: leftmost first, of several at one place the longest.
/// Source: `tokenizers`, src/tokenizer/added_vocabulary.rs.
class AddedTokenMatcher {
 public:
  AddedTokenMatcher() = default;
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  /// Cuts well-formed UTF-8: calls `on_text` for what is between tokens (never empty) and `on_token` for each token.
  void split(std::string_view text, const std::function<void(std::string_view)>& on_text,
             const std::function<void(std::int32_t)>& on_token) const;

  /// The longest token that `rest` begins with, or null.
  const AddedToken* longest_at(std::string_view rest) const;

 private:
  std::vector<AddedToken> tokens_;  // sorted by content
  std::string first_bytes_;         // every byte that starts a token, once
};

}  // namespace lathe
