#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lathe {

/// The length of the longest prefix that is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates).
std::size_t valid_utf8_prefix(std::string_view bytes);

inline bool is_utf8(std::string_view bytes) { return valid_utf8_prefix(bytes) == bytes.size(); }

/// The one to four bytes of a character, which must not be a surrogate.
std::string utf8_of(char32_t character);

struct RepairedUtf8 {
  std::string text;
  std::int64_t replaced_bytes = 0;
};

/// Replaces every maximal ill-formed subsequence by U+FFFD, as Unicode (chapter 3.9) and Python's errors="replace" do.
RepairedUtf8 repair_utf8(std::string_view bytes);

}  // namespace lathe
