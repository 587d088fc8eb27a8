#pragma once

#include <string>
#include <string_view>

namespace lathe {

/// Unicode normalization form C of well-formed UTF-8, as the `tokenizers` package normalizes.
/// Source: Unicode standard, chapter 3.11; the tables come from that package (tests/io/make_unicode_tables.py).
std::string to_nfc(std::string_view text);

}  // namespace lathe
