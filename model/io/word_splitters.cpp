#include "model/io/word_splitters.h"

#include "model/io/unicode_classes.h"

namespace lathe {

namespace {

constexpr int kKinds = kLetter | kNumber | kSpace;  // none of them: symbols, the patterns' [^\s\p{L}\p{N}]
constexpr int kSymbol = 0;

/// The functions below take the start of a piece and return its end. All read well-formed UTF-8 up to `end_`.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : end_(text.data() + text.size()) {}

  const char* gpt2_word(const char* begin) const {
    if (const char* after = contraction(begin, /*ignore_case=*/false)) return after;
    const char* word = *begin == ' ' && begin + 1 < end_ ? begin + 1 : begin;
    const int kind = kind_at(word);
    return kind == kSpace ? spaces(begin) : run(word, kind);
  }

  const char* llama3_word(const char* begin, int max_digits) const {
    if (const char* after = contraction(begin, /*ignore_case=*/true)) return after;
    const int kind = kind_at(begin);
    const char* after = begin + utf8_char(begin).size;
    const bool may_lead_letters = kind != kNumber && !is_newline(begin);
    if (kind == kLetter || (may_lead_letters && after < end_ && kind_at(after) == kLetter)) return run(after, kLetter);
    if (kind == kNumber) return digits(begin, max_digits);
    const char* symbols = *begin == ' ' && after < end_ ? after : begin;
    if (kind_at(symbols) != kSymbol) return spaces_to_newline(begin);
    const char* at = run(symbols, kSymbol);
    while (at < end_ && is_newline(at)) ++at;
    return at;
  }

 private:
  int kind_at(const char* at) const { return classes_[utf8_char(at).code] & kKinds; }

  static bool is_newline(const char* at) { return *at == '\n' || *at == '\r'; }

  const char* run(const char* at, int kind) const {
    while (at < end_) {
      const Utf8Char next = utf8_char(at);
      if ((classes_[next.code] & kKinds) != kind) break;
      at += next.size;
    }
    return at;
  }

  const char* digits(const char* at, int max_digits) const {
    for (int count = 0; count < max_digits && at < end_ && kind_at(at) == kNumber; ++count) at += utf8_char(at).size;
    return at;
  }

  /// \s+(?!\S)|\s+ : a run of spaces leaves its last one to what follows.
  const char* spaces(const char* begin) const {
    const char* stop = run(begin, kSpace);
    if (stop == end_) return stop;
    const char* last = stop - last_utf8_char({begin, static_cast<std::size_t>(stop - begin)}).size;
    return last == begin ? stop : last;
  }

  /// \s*[\r\n]+|\s+(?!\S)|\s+
  const char* spaces_to_newline(const char* begin) const {
    for (const char* at = run(begin, kSpace); at > begin; --at) {
      if (is_newline(at - 1)) return at;
    }
    return spaces(begin);
  }

  /// The end of 's 't 're 've 'm 'll 'd, or null.
  const char* contraction(const char* begin, bool ignore_case) const {
    if (*begin != '\'' || begin + 1 == end_) return nullptr;
    const auto letter = [&](const char* at) {
      return at < end_ ? static_cast<char>(*at | (ignore_case ? 0x20 : 0)) : '\0';
    };
    const char first = letter(begin + 1);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return begin + 2;
    const char second = letter(begin + 2);
    if ((first == 'r' || first == 'v') && second == 'e') return begin + 3;
    if (first == 'l' && second == 'l') return begin + 3;
    // Unicode folds the long s to s.
    if (ignore_case && utf8_char(begin + 1).code == U'\u017F') return begin + 3;
    return nullptr;
  }

  const char* end_;
  const std::uint8_t* classes_ = character_classes();
};

template <typename FindEnd>
void split(std::string_view text, std::vector<std::string_view>& pieces, FindEnd find_end) {
  const char* const end = text.data() + text.size();
  for (const char* begin = text.data(); begin < end;) {
    const char* stop = find_end(begin);
    pieces.emplace_back(begin, static_cast<std::size_t>(stop - begin));
    begin = stop;
  }
}

}  // namespace

void split_gpt2_words(std::string_view text, std::vector<std::string_view>& pieces) {
  const Scanner scanner(text);
  split(text, pieces, [&](const char* begin) { return scanner.gpt2_word(begin); });
}

void split_llama3_words(std::string_view text, int max_digits, std::vector<std::string_view>& pieces) {
  const Scanner scanner(text);
  split(text, pieces, [&](const char* begin) { return scanner.llama3_word(begin, max_digits); });
}

}  // namespace lathe
