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

// SentencePiece vocabularies write a space as U+2581 and have a token "<0x00>" to "<0xFF>" for each byte.

inline constexpr std::string_view kMetaspace = "\u2581";

/// "<0x0A>".
std::string name_of_byte(char byte);

/// The byte that "<0x0A>" names, with two hexadecimal digits of any case; else nullopt.
std::optional<char> byte_named(std::string_view spelling);

/// The text with each space as U+2581, and back.
std::string with_metaspaces(std::string_view text);
std::string with_plain_spaces(std::string_view text);

}  // namespace lathe
