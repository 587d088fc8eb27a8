#include "model/io/utf8.h"

#include <cstring>

namespace lathe {

namespace {

/// What the bytes at the start of `rest` are: a whole character, or a maximal ill-formed subsequence.
struct Sequence {
  std::size_t length = 1;
  bool valid = false;
};

/// Source: Unicode standard, table 3-7 (well-formed byte sequences): the second byte's range depends on the first.
Sequence next_sequence(std::string_view rest) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (rest.size() < 2 || byte(1) < low || byte(1) > high) return {1, false};
  for (std::size_t i = 2; i < length; ++i) {
    if (rest.size() <= i || (byte(i) & 0xC0) != 0x80) return {i, false};
  }
  return {length, true};
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view bytes) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::size_t at = 0;
  while (at < bytes.size()) {
    // Eight bytes of ASCII at once: headers and texts are mostly that.
    std::uint64_t word = 0;
    if (bytes.size() - at >= sizeof word) {
      std::memcpy(&word, bytes.data() + at, sizeof word);
      if ((word & kHighBits) == 0) {
        at += sizeof word;
        continue;
      }
    }
    const Sequence next = next_sequence(bytes.substr(at));
    if (!next.valid) return at;
    at += next.length;
  }
  return at;
}

std::string utf8_of(char32_t character) {
  const auto byte = [](char32_t value) { return static_cast<char>(static_cast<unsigned char>(value)); };
  const auto tail = [&](int shift) { return byte(0x80 | (character >> shift & 0x3F)); };
  if (character < 0x80) return {byte(character)};
  if (character < 0x800) return {byte(0xC0 | character >> 6), tail(0)};
  if (character < 0x10000) return {byte(0xE0 | character >> 12), tail(6), tail(0)};
  return {byte(0xF0 | character >> 18), tail(12), tail(6), tail(0)};
}

RepairedUtf8 repair_utf8(std::string_view bytes) {
  RepairedUtf8 result;
  result.text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t valid = valid_utf8_prefix(bytes);
    result.text.append(bytes.substr(0, valid));
    bytes.remove_prefix(valid);
    if (bytes.empty()) break;
    const std::size_t bad = next_sequence(bytes).length;
    result.text += "\xEF\xBF\xBD";
    result.replaced_bytes += static_cast<std::int64_t>(bad);
    bytes.remove_prefix(bad);
  }
  return result;
}

}  // namespace lathe
