#include "model/io/regex.h"

#include "model/data/error.h"
#include "model/io/unicode_classes.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace lathe {

namespace {

constexpr std::size_t kMaxPatternBytes = 16 << 10;
constexpr std::uint32_t kMaxSteps = 10'000'000;      // a fraction of a second
constexpr std::uint32_t kMaxHeapKib = 256 << 10;     // backtracking state of a pattern that is not compiled to code
constexpr std::size_t kMaxJitStackBytes = 32 << 20;  // the same for one that is

constexpr const char* kHint = "get the tokenizer again, or one with a pattern that models of the Llama family use";

std::string message_of(int code) {
  PCRE2_UCHAR buffer[256] = {};
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

/// PCRE2 takes the Mongolian vowel separator for a space, which no current Unicode version does.
std::string with_unicode_spaces(std::string_view pattern) {
  constexpr std::string_view kSpaces = R"(\t-\r\x{85}\p{Z})";
  std::string result;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view two = pattern.substr(i, 2);
    if (two == "\\s") {
      result += in_class ? std::string(kSpaces) : text("[", kSpaces, "]");
    } else if (two == "\\S") {
      result += in_class ? std::string(R"(\S\x{180E})") : text("[^", kSpaces, "]");
    } else if (in_class && two == "[:") {
      const std::string_view named = pattern.substr(i, pattern.find(":]", i) - i);
      result += named;
      i += named.size() - 1;
      continue;
    } else if (two.front() == '\\' || (!in_class && (two == "[^" || two == "[]"))) {
      result += two;
      in_class |= two.front() == '[';
    } else {
      in_class = in_class ? two.front() != ']' || result.ends_with(':') : two.front() == '[';
      result += two.front();
      continue;
    }
    ++i;
  }
  return result;
}

struct Free {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};

/// What a match may use up before it is given up.
struct Limits {
  std::unique_ptr<pcre2_match_context, Free> context{pcre2_match_context_create(nullptr)};
  std::unique_ptr<pcre2_jit_stack, Free> stack{pcre2_jit_stack_create(32 << 10, kMaxJitStackBytes, nullptr)};

  Limits() {
    pcre2_set_match_limit(context.get(), kMaxSteps);
    pcre2_set_heap_limit(context.get(), kMaxHeapKib);
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  }
};

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  std::string where;

  Code(const std::string& pattern, std::string source) : where(std::move(source)) {
    if (pattern.size() > kMaxPatternBytes) {
      refuse("a pattern is too long", text(pattern.size(), " bytes"), text("at most ", kMaxPatternBytes));
    }
    int error = 0;
    PCRE2_SIZE offset = 0;
    const std::string spaced = with_unicode_spaces(pattern);
    code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(spaced.data()), spaced.size(),
                         PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
    if (code == nullptr) {
      refuse("a pattern cannot be read", text("\"", pattern.substr(0, 200), "\""),
             text("something else at byte ", offset, ": ", message_of(error)));
    }
    // Compiling to machine code may be refused (no executable memory); matching then interprets, with equal results.
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  }
  ~Code() { pcre2_code_free(code); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;

  [[noreturn]] void refuse(const std::string& what, const std::string& got, const std::string& expected) const {
    throw Error(
        {.code = ErrorCode::Regex, .what = what, .where = where, .got = got, .expected = expected, .hint = kHint});
  }
};

Regex::Regex(const std::string& pattern, const std::string& where)
    : code_(std::make_shared<const Code>(pattern, where)) {}

void Regex::for_each_match(std::string_view subject, const std::function<void(std::size_t, std::size_t)>& found) const {
  // Kept by each thread: the stack is large, and texts are cut into many pieces.
  thread_local const Limits limits;
  const std::unique_ptr<pcre2_match_data, Free> match(pcre2_match_data_create_from_pattern(code_->code, nullptr));

  const auto bytes = reinterpret_cast<PCRE2_SPTR>(subject.data());
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t last_end = kNone;
  for (std::size_t from = 0; from <= subject.size();) {
    const int count =
        pcre2_match(code_->code, bytes, subject.size(), from, PCRE2_NO_UTF_CHECK, match.get(), limits.context.get());
    if (count == PCRE2_ERROR_NOMATCH) return;
    if (count <= 0) {
      throw Error({.code = ErrorCode::Regex,
                   .what = text("the pre-tokenizer's pattern gave up on a text of ", subject.size(), " bytes"),
                   .where = code_->where,
                   .got = message_of(count),
                   .expected = text("a match within ", kMaxSteps, " steps"),
                   .hint = "shorten the text or its runs of spaces"});
    }
    const PCRE2_SIZE* span = pcre2_get_ovector_pointer(match.get());
    if (span[0] > span[1])
      code_->refuse("a pattern matches backwards", "\\K", "a match that ends where it begins or later");
    if (span[0] == span[1] && span[1] == last_end) {
      if (from == subject.size()) return;
      from += utf8_char(subject.data() + from).size;
      continue;
    }
    found(span[0], span[1]);
    from = last_end = span[1];
  }
}

}  // namespace lathe
