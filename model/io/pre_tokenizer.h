#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace lathe {

/// Cuts text into the pieces that BPE then works on one by one: a sequence of stages, the last of them ByteLevel.
/// Source: `tokenizers`, src/pre_tokenizers.
class PreTokenizer {
 public:
  /// Reads the "pre_tokenizer" of a tokenizer.json: Sequence, Split, Digits and, as the last stage, ByteLevel.
  /// Throws Error that names any other type; `where` names the file.
  PreTokenizer(const nlohmann::json& json, const std::string& where);

  /// Calls `piece` for each piece of `text`, which must be well-formed UTF-8. A piece is valid during the call only.
  /// Throws Error if a pattern hits its limits.
  void split(std::string_view text, const std::function<void(std::string_view)>& piece) const;

 private:
  struct Stages;
  std::shared_ptr<const Stages> stages_;
};

}  // namespace lathe
