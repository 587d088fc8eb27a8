#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lathe {

// Byte-level vocabularies spell each byte as one printable character: "!" as itself, a space as "Ġ".
// Source: GPT-2's encoder.py, bytes_to_unicode.

/// The characters that spell `bytes`.
std::string spell_bytes(std::string_view bytes);

/// The bytes that well-formed UTF-8 spells, or nullopt if a character in it spells no byte.
std::optional<std::string> bytes_spelled(std::string_view spelling);

}  // namespace lathe
