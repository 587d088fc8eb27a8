#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace lathe {

/// Cuts text into the pieces that BPE then works on one by one: a sequence of stages.
/// Source: `tokenizers`, src/pre_tokenizers.
class PreTokenizer {
 public:
  /// Leaves the text in one piece.
  PreTokenizer();

  /// Reads the "pre_tokenizer" of a tokenizer.json: Sequence, Split, Digits, Punctuation, Metaspace and, as the last
  /// stage, ByteLevel.
  /// Throws Error that names any other type; `where` names the file.
  PreTokenizer(const nlohmann::json& json, const std::string& where);

  /// Whether the pieces are bytes, for a vocabulary that spells bytes; else they are text.
  bool gives_bytes() const;

  /// Calls `piece` for each piece of `text`, which must be well-formed UTF-8. A piece is valid during the call only.
  /// `is_start`: the text is the beginning of what the user wrote.
  /// Throws Error if a pattern hits its limits.
  void split(std::string_view text, bool is_start, const std::function<void(std::string_view)>& piece) const;

 private:
  struct Stages;
  std::shared_ptr<const Stages> stages_;
};

}  // namespace lathe
