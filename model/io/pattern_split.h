#pragma once

#include <functional>
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

  /// Reads {"behavior": …} of the Punctuation pre-tokenizer, which cuts at each punctuation character.
  static PatternSplit at_punctuation(JsonObject json);

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

  struct Punctuation {};
  using Find = std::function<void(std::size_t, std::size_t)>;

  PatternSplit(Behavior behavior, Punctuation kind) : kind_(kind), behavior_(behavior), invert_(false) {}
  static Behavior behavior_named(const std::string& name, const std::string& where);
  void for_each_match(std::string_view text, const Find& found) const;
  std::vector<Part> find_parts(std::string_view text) const;
  void merge(std::vector<Part>& parts) const;

  std::string pattern_;
  std::variant<std::monostate, Regex, Punctuation> kind_;  // none: pattern_ is a literal
  Behavior behavior_;
  bool invert_;
};

}  // namespace lathe
