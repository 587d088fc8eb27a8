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

std::string message_of(int code) {
  PCRE2_UCHAR buffer[256] = {};
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
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
    check(pattern.size() <= kMaxPatternBytes, "[tokenizer] a pattern of ", pattern.size(), " bytes, expected at most ",
          kMaxPatternBytes, "; file: ", where);
    int error = 0;
    PCRE2_SIZE offset = 0;
    code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                         PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
    check(code != nullptr, "[tokenizer] pattern \"", pattern.substr(0, 200), "\" cannot be read at byte ", offset, ": ",
          message_of(error), "; file: ", where);
    // Compiling to machine code may be refused (no executable memory); matching then interprets, with equal results.
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  }
  ~Code() { pcre2_code_free(code); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
};

Regex::Regex(const std::string& pattern, const std::string& where)
    : code_(std::make_shared<const Code>(pattern, where)) {}

void Regex::for_each_match(std::string_view text, const std::function<void(std::size_t, std::size_t)>& found) const {
  // Kept by each thread: the stack is large, and texts are cut into many pieces.
  thread_local const Limits limits;
  const std::unique_ptr<pcre2_match_data, Free> match(pcre2_match_data_create_from_pattern(code_->code, nullptr));

  const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t last_end = kNone;
  for (std::size_t from = 0; from <= text.size();) {
    const int count =
        pcre2_match(code_->code, subject, text.size(), from, PCRE2_NO_UTF_CHECK, match.get(), limits.context.get());
    if (count == PCRE2_ERROR_NOMATCH) return;
    check(count > 0, "[tokenizer] the pre-tokenizer's pattern gave up on a text of ", text.size(),
          " bytes: ", message_of(count), "; shorten the text or its runs of spaces; file: ", code_->where);
    const PCRE2_SIZE* span = pcre2_get_ovector_pointer(match.get());
    check(span[0] <= span[1], "[tokenizer] the pre-tokenizer's pattern matches backwards (\\K); file: ", code_->where);
    if (span[0] == span[1] && span[1] == last_end) {
      if (from == text.size()) return;
      from += utf8_char(text.data() + from).size;
      continue;
    }
    found(span[0], span[1]);
    from = last_end = span[1];
  }
}

}  // namespace lathe
