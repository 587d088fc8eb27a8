#include "model/io/byte_level.h"

#include <array>
#include <charconv>

#include "model/io/unicode_classes.h"

namespace lathe {

namespace {

constexpr char32_t kFirstStandIn = 0x100;  // bytes that do not print are spelled by the characters from here on
constexpr char32_t kLastStandIn = 0x143;

constexpr bool prints(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

struct Alphabet {
  std::array<char32_t, 256> character{};
  std::array<int, kLastStandIn + 1> byte{};

  constexpr Alphabet() {
    for (int& none : byte) none = -1;
    char32_t next = kFirstStandIn;
    for (int i = 0; i < 256; ++i) {
      const char32_t code = prints(i) ? static_cast<char32_t>(i) : next++;
      character[static_cast<std::size_t>(i)] = code;
      byte[code] = i;
    }
  }
};

constexpr Alphabet kAlphabet;

}  // namespace

std::string spell_bytes(std::string_view bytes) {
  std::string spelling;
  for (const char byte : bytes) {
    const char32_t code = kAlphabet.character[static_cast<unsigned char>(byte)];
    if (code < 0x80) {
      spelling += static_cast<char>(code);
    } else {
      spelling += static_cast<char>(static_cast<unsigned char>(0xC0 | code >> 6));
      spelling += static_cast<char>(static_cast<unsigned char>(0x80 | (code & 0x3F)));
    }
  }
  return spelling;
}

std::optional<std::string> bytes_spelled(std::string_view spelling) {
  std::string bytes;
  for (std::size_t at = 0; at < spelling.size();) {
    const Utf8Char next = utf8_char(spelling.data() + at);
    const int byte = next.code <= kLastStandIn ? kAlphabet.byte[next.code] : -1;
    if (byte < 0) return std::nullopt;
    bytes += static_cast<char>(static_cast<unsigned char>(byte));
    at += next.size;
  }
  return bytes;
}

std::string name_of_byte(char byte) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const auto value = static_cast<unsigned char>(byte);
  return {'<', '0', 'x', kHex[value >> 4], kHex[value & 15], '>'};
}

std::optional<char> byte_named(std::string_view spelling) {
  if (spelling.size() != 6 || !spelling.starts_with("<0x") || spelling[5] != '>') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(&spelling[3], &spelling[5], value, 16);
  if (error != std::errc() || end != &spelling[5]) return std::nullopt;
  return static_cast<char>(static_cast<unsigned char>(value));
}

std::string with_metaspaces(std::string_view text) {
  std::string result;
  result.reserve(text.size() + text.size() / 2);
  for (const char c : text) {
    if (c == ' ') {
      result += kMetaspace;
    } else {
      result += c;
    }
  }
  return result;
}

std::string with_plain_spaces(std::string_view text) {
  std::string result;
  for (std::size_t at = text.find(kMetaspace); at != std::string_view::npos; at = text.find(kMetaspace)) {
    result.append(text.substr(0, at)).append(" ");
    text.remove_prefix(at + kMetaspace.size());
  }
  return result.append(text);
}

}  // namespace lathe
