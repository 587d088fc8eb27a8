#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace lathe {

/// A pattern from a tokenizer file, run by PCRE2 on well-formed UTF-8 with Unicode classes.
/// Limits on the pattern's size, the matcher's steps and its memory turn a hostile pattern into an Error, not a hang.
class Regex {
 public:
  /// Throws Error with the position of the mistake; `where` names the file.
  Regex(const std::string& pattern, const std::string& where);

  /// Calls `found(begin, end)` with the byte offsets of every match, left to right. An empty match that touches the
  /// match before it is passed over.  Throws Error when a limit is hit.
  void for_each_match(std::string_view subject, const std::function<void(std::size_t, std::size_t)>& found) const;

 private:
  struct Code;  // owns the compiled pattern
  std::shared_ptr<const Code> code_;
};

}  // namespace lathe
