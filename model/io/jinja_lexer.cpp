#include "model/io/jinja_lexer.h"

#include <algorithm>
#include <array>

#include "model/io/jinja_error.h"
#include "model/io/utf8.h"

namespace lathe::jinja {

namespace {

constexpr std::string_view kSpaces = " \t\n\r\v\f";

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// As Jinja does: one kind of line end, and no line end after the last line.
std::string with_plain_line_ends(std::string_view source) {
  std::string text;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    text += source[i] == '\r' ? '\n' : source[i];
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(with_plain_line_ends(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const std::size_t tag = next_tag();
      add_text(tag);
      if (tag < source_.size()) read_tag();
    }
    add(Token::Kind::End, "");
    return std::move(tokens_);
  }

 private:
  using Kind = Token::Kind;

  void add(Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line()}); }
  int line() {
    while (counted_ < at_) line_ += source_[counted_++] == '\n' ? 1 : 0;
    return line_;
  }
  bool starts(std::string_view text) const { return std::string_view(source_).substr(at_).starts_with(text); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }

  std::size_t next_tag() const {
    for (std::size_t i = at_; i + 1 < source_.size(); ++i) {
      if (source_[i] == '{' && std::string_view("{%#").find(source_[i + 1]) != std::string_view::npos) return i;
    }
    return source_.size();
  }

  /// Adds the text up to `tag`, less the white space that the tag removes before itself.
  void add_text(std::size_t tag) {
    std::string_view text = std::string_view(source_).substr(at_, tag - at_);
    if (tag + 2 < source_.size() && source_[tag + 2] == '-') {
      const std::size_t last = text.find_last_not_of(kSpaces);
      text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
    } else if (tag + 1 < source_.size() && source_[tag + 1] != '{' && peek_at(tag + 2) != '+') {
      // lstrip_blocks: a block or comment that starts its line takes the indentation with it.
      const std::size_t last = text.find_last_not_of(" \t");
      const bool starts_line =
          last == std::string_view::npos ? tag == text.size() || source_[at_ - 1] == '\n' : text[last] == '\n';
      if (starts_line) text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
    }
    if (!text.empty()) add(Kind::Text, std::string(text));
    at_ = tag;
  }

  char peek_at(std::size_t place) const { return place < source_.size() ? source_[place] : '\0'; }

  void read_tag() {
    const char kind = source_[at_ + 1];
    if (kind == '#') return skip_comment();
    const bool is_block = kind == '%';
    add(is_block ? Kind::BlockBegin : Kind::PrintBegin, "");
    at_ += 2;
    if (peek() == '-' || peek() == '+') ++at_;
    while (!read_end(is_block)) {
      check(at_ < source_.size(), "line ", line(), ": a tag is not closed");
      read_token();
    }
  }

  void skip_comment() {
    const std::size_t end = source_.find("#}", at_ + 2);
    check(end != std::string::npos, "line ", line(), ": a comment is not closed");
    at_ = end + 2;
    trim_after(source_[end - 1], /*is_block=*/true);
  }

  /// Removes the white space that a closed tag takes with it: all of it for "-", a block's own line end without a sign.
  void trim_after(char sign, bool is_block) {
    if (sign == '-') {
      at_ = std::min(source_.find_first_not_of(kSpaces, at_), source_.size());
    } else if (is_block && sign != '+' && peek() == '\n') {
      ++at_;
    }
  }

  bool read_end(bool is_block) {
    at_ = std::min(source_.find_first_not_of(kSpaces, at_), source_.size());
    const std::string_view end = is_block ? "%}" : "}}";
    const bool is_signed =
        (peek() == '-' || (peek() == '+' && is_block)) && std::string_view(source_).substr(at_ + 1).starts_with(end);
    // Two closing braces may also end two objects in a print tag.
    if (!is_signed && (!starts(end) || (!is_block && open_braces_ > 0))) return false;
    const char sign = is_signed ? peek() : '\0';
    add(is_block ? Kind::BlockEnd : Kind::PrintEnd, "");
    at_ += end.size() + (is_signed ? 1 : 0);
    trim_after(sign, is_block);
    return true;
  }

  void read_token() {
    const char c = peek();
    if (is_name_start(c)) return read_name();
    if (is_digit(c)) return read_number();
    if (c == '\'' || c == '"') return read_string();
    static constexpr std::array<std::string_view, 23> kOperators{"==", "!=", "<=", ">=", "//", "**", "+", "-",
                                                                 "*",  "/",  "%",  "~",  "<",  ">",  "=", "(",
                                                                 ")",  "[",  "]",  ",",  ".",  ":",  "|"};
    for (const std::string_view op : kOperators) {
      if (starts(op)) return read_operator(op);
    }
    if (c == '{' || c == '}') {
      open_braces_ += c == '{' ? 1 : -1;
      return read_operator(c == '{' ? "{" : "}");
    }
    refuse("line ", line(), ": unexpected \"", std::string(1, c), "\"");
  }

  void read_operator(std::string_view op) {
    add(Kind::Operator, std::string(op));
    at_ += op.size();
  }

  void read_name() {
    const std::size_t begin = at_;
    while (is_name_start(peek()) || is_digit(peek())) ++at_;
    add(Kind::Name, source_.substr(begin, at_ - begin));
  }

  void read_number() {
    const std::size_t begin = at_;
    while (is_digit(peek())) ++at_;
    const bool is_float = peek() == '.' && is_digit(peek(1));
    if (is_float) ++at_;
    while (is_digit(peek())) ++at_;
    check(at_ - begin <= 15, "line ", line(), ": a number of more than 15 digits");
    add(is_float ? Kind::Float : Kind::Integer, source_.substr(begin, at_ - begin));
  }

  void read_string() {
    const char quote = source_[at_++];
    std::string value;
    while (peek() != quote) {
      check(at_ < source_.size(), "line ", line(), ": a string is not closed");
      if (peek() == '\\' && at_ + 1 < source_.size()) {
        value += escape();
      } else {
        value += source_[at_++];
      }
    }
    ++at_;
    add(Kind::String, std::move(value));
  }

  /// Python's escapes; an unknown one stands for itself, backslash included.
  std::string escape() {
    const char c = source_[at_ + 1];
    at_ += 2;
    constexpr std::string_view kLetters = "ntr0\\'\"abfv", kMeanings{"\n\t\r\0\\'\"\a\b\f\v", 11};
    const std::size_t known = kLetters.find(c);
    if (known != std::string_view::npos) return {kMeanings[known]};
    check(c != 'x' && c != 'u' && c != 'U' && c != 'N', "line ", line(), ": the escape \\", c, " is not supported");
    return c == '\n' ? std::string() : std::string{'\\', c};
  }

  std::string source_;
  std::size_t at_ = 0;
  std::size_t counted_ = 0;  // line_ is the line of this place
  int line_ = 1;
  int open_braces_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  constexpr std::size_t kMaxBytes = 256 << 10;
  check(source.size() <= kMaxBytes, "", source.size(), " bytes, expected at most ", kMaxBytes);
  check(is_utf8(source), "not UTF-8");
  return Lexer(source).run();
}

}  // namespace lathe::jinja
