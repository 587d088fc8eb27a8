#pragma once

#include <cstdint>
#include <string_view>

namespace lathe {

/// What a character is to a pre-tokenizer, as bits.
enum CharacterClass : std::uint8_t {
  kLetter = 1,        ///< \p{L}
  kNumber = 2,        ///< \p{N}
  kSpace = 4,         ///< \s
  kNumeric = 8,       ///< what the Digits pre-tokenizer splits off: \p{N} of a later Unicode version
  kWord = 16,         ///< \w, for added tokens that match whole words only
  kPunctuation = 32,  ///< what the Punctuation pre-tokenizer splits at
};

/// CharacterClass bits by code point, 0x110000 of them.
/// Source: the classes that the Hugging Face `tokenizers` package uses (tests/io/make_unicode_tables.py).
const std::uint8_t* character_classes();

/// A character of well-formed UTF-8 and the number of bytes it takes.
struct Utf8Char {
  char32_t code;
  std::uint8_t size;
};

/// Reads the character at `at`, which must be the start of one in well-formed UTF-8.
inline Utf8Char utf8_char(const char* at) {
  const auto byte = [at](int i) { return static_cast<char32_t>(static_cast<unsigned char>(at[i])); };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (lead < 0xF0) return {(lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}

/// The last character of well-formed, non-empty UTF-8.
inline Utf8Char last_utf8_char(std::string_view text) {
  const char* at = text.data() + text.size() - 1;
  while ((static_cast<unsigned char>(*at) & 0xC0) == 0x80) --at;
  return utf8_char(at);
}

}  // namespace lathe
