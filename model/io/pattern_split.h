#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/data/json_object.h"
#include "model/io/regex.h"

namespace lathe {

/// The Split pre-tokenizer: cuts text at the matches of a regular expression or of a literal.
/// Source: `tokenizers`, NormalizedString::split.
class PatternSplit {
 public:
  /// Reads {"pattern": {"Regex" | "String": …}, "behavior": …, "invert": …}. Throws Error naming the file.
  explicit PatternSplit(JsonObject json);

  /// Appends the pieces of well-formed UTF-8.
  void split(std::string_view text, std::vector<std::string_view>& pieces) const;

  /// The regular expression, if every match and every gap between matches becomes a piece of its own, or if only the
  /// matches do; null otherwise. A pattern that matches everything then splits the same in both cases.
  const std::string* plain_pattern() const;

 private:
  enum class Behavior { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };
  struct Part {
    std::size_t begin, end;
    bool is_match;
  };

  static Behavior behavior_named(const std::string& name, const std::string& where);
  std::vector<Part> find_parts(std::string_view text) const;
  void merge(std::vector<Part>& parts) const;

  std::string pattern_;
  std::variant<std::monostate, Regex> regex_;  // none: pattern_ is a literal
  Behavior behavior_;
  bool invert_;
};

}  // namespace lathe
