#include "model/io/unicode_nfc.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "model/io/unicode_classes.h"

namespace lathe {

namespace {

constexpr std::uint32_t kDecompositions[] = {
#include "model/io/unicode_decompositions.inc"
};
constexpr std::uint32_t kCompositions[] = {
#include "model/io/unicode_compositions.inc"
};
constexpr std::uint32_t kCombining[] = {
#include "model/io/unicode_combining.inc"
};

// Hangul syllables compose by arithmetic. Source: Unicode standard, chapter 3.12.
constexpr char32_t kSyllableBase = 0xAC00, kLeadBase = 0x1100, kVowelBase = 0x1161, kTrailBase = 0x11A7;
constexpr char32_t kLeads = 19, kVowels = 21, kTrails = 28;
constexpr char32_t kSyllables = kLeads * kVowels * kTrails;

constexpr char32_t kFirstMark = 0x300;  // below it every character is its own NFC and composes with nothing before it

std::uint64_t pair_key(char32_t first, char32_t second) { return std::uint64_t{first} << 32 | second; }

struct Tables {
  std::unordered_map<char32_t, std::span<const std::uint32_t>> decompositions;
  std::unordered_map<std::uint64_t, char32_t> compositions;
  std::unordered_map<char32_t, std::uint32_t> combining;

  Tables() {
    for (std::size_t at = 0; at < std::size(kDecompositions); at += 2 + kDecompositions[at + 1]) {
      decompositions[kDecompositions[at]] = std::span(kDecompositions + at + 2, kDecompositions[at + 1]);
    }
    for (std::size_t at = 0; at < std::size(kCompositions); at += 3) {
      compositions[pair_key(kCompositions[at], kCompositions[at + 1])] = kCompositions[at + 2];
    }
    for (std::size_t at = 0; at < std::size(kCombining); at += 3) {
      for (std::uint32_t i = 0; i < kCombining[at + 1]; ++i) combining[kCombining[at] + i] = kCombining[at + 2];
    }
  }
};

const Tables& tables() {
  static const Tables tables;
  return tables;
}

std::uint32_t combining_class(char32_t code) {
  if (code < kFirstMark) return 0;
  const auto found = tables().combining.find(code);
  return found == tables().combining.end() ? 0 : found->second;
}

void decompose(char32_t code, std::u32string& out) {
  if (code - kSyllableBase < kSyllables) {
    const char32_t index = code - kSyllableBase;
    out += kLeadBase + index / (kVowels * kTrails);
    out += kVowelBase + index % (kVowels * kTrails) / kTrails;
    if (index % kTrails != 0) out += kTrailBase + index % kTrails;
    return;
  }
  const auto found = tables().decompositions.find(code);
  if (found == tables().decompositions.end()) {
    out += code;
  } else {
    out.append(found->second.begin(), found->second.end());
  }
}

/// Marks of different classes that follow one another may be swapped: they are put in the order of their classes.
void order_marks(std::u32string& text) {
  const auto is_mark = [](char32_t code) { return combining_class(code) != 0; };
  for (auto at = text.begin(); at != text.end();) {
    const auto first = std::find_if(at, text.end(), is_mark);
    const auto last = std::find_if_not(first, text.end(), is_mark);
    std::stable_sort(first, last, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    at = last;
  }
}

std::optional<char32_t> composed(char32_t first, char32_t second) {
  if (first - kLeadBase < kLeads && second - kVowelBase < kVowels) {
    return kSyllableBase + ((first - kLeadBase) * kVowels + (second - kVowelBase)) * kTrails;
  }
  const bool open_syllable = first - kSyllableBase < kSyllables && (first - kSyllableBase) % kTrails == 0;
  if (open_syllable && second > kTrailBase && second < kTrailBase + kTrails) return first + (second - kTrailBase);
  const auto found = tables().compositions.find(pair_key(first, second));
  if (found == tables().compositions.end()) return std::nullopt;
  return found->second;
}

/// Joins each character with the nearest starter before it unless a mark of the same or a higher class is in between.
std::u32string compose(const std::u32string& text) {
  std::u32string out;
  std::size_t starter = std::u32string::npos;
  std::uint32_t last_class = 0;
  for (const char32_t code : text) {
    const std::uint32_t own_class = combining_class(code);
    const bool adjacent = starter != std::u32string::npos && starter + 1 == out.size();
    if (starter != std::u32string::npos && (adjacent || (last_class < own_class && last_class != 0))) {
      if (const auto whole = composed(out[starter], code)) {
        out[starter] = *whole;
        continue;
      }
    }
    if (own_class == 0) starter = out.size();
    last_class = own_class;
    out += code;
  }
  return out;
}

void append_utf8(char32_t code, std::string& out) {
  const auto put = [&out](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

/// Whether no byte can belong to a character from kFirstMark on: 0xCC is the lead byte of U+0300.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char byte) { return static_cast<unsigned char>(byte) < 0xCC; });
}

}  // namespace

std::string to_nfc(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::u32string decomposed;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char next = utf8_char(text.data() + at);
    decompose(next.code, decomposed);
    at += next.size;
  }
  order_marks(decomposed);
  std::string out;
  for (const char32_t code : compose(decomposed)) append_utf8(code, out);
  return out;
}

}  // namespace lathe
