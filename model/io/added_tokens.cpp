#include "model/io/added_tokens.h"

#include <algorithm>

#include "model/io/unicode_classes.h"

namespace lathe {

namespace {

bool ends_in_word(std::string_view text) {
  return !text.empty() && (character_classes()[last_utf8_char(text).code] & kWord) != 0;
}

bool starts_with_word(std::string_view text) {
  return !text.empty() && (character_classes()[utf8_char(text.data()).code] & kWord) != 0;
}

std::size_t bytes_without_trailing_spaces(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char last = last_utf8_char(text);
    if ((character_classes()[last.code] & kSpace) == 0) break;
    text.remove_suffix(last.size);
  }
  return text.size();
}

std::size_t bytes_of_leading_spaces(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Utf8Char next = utf8_char(text.data() + at);
    if ((character_classes()[next.code] & kSpace) == 0) break;
    at += next.size;
  }
  return at;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const AddedToken& token) { return token.content.empty(); });
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  for (const AddedToken& token : tokens_) {
    const char first = token.content.front();
    if (first_bytes_.find(first) == std::string::npos) first_bytes_ += first;
  }
}

/// Narrows the sorted tokens down to those that share one more byte with `rest`, until none is left.
const AddedToken* AddedTokenMatcher::longest_at(std::string_view rest) const {
  const AddedToken* longest = nullptr;
  auto first = tokens_.begin(), last = tokens_.end();
  for (std::size_t i = 0; i < rest.size() && first != last; ++i) {
    // A token that ends before byte i sorts before all bytes.
    const auto byte_of = [i](const AddedToken& token) {
      return i < token.content.size() ? static_cast<unsigned char>(token.content[i]) : -1;
    };
    const int byte = static_cast<unsigned char>(rest[i]);
    first = std::partition_point(first, last, [&](const AddedToken& token) { return byte_of(token) < byte; });
    last = std::partition_point(first, last, [&](const AddedToken& token) { return byte_of(token) == byte; });
    if (first != last && first->content.size() == i + 1) longest = &*first;
  }
  return longest;
}

void AddedTokenMatcher::split(std::string_view text, const std::function<void(std::string_view)>& on_text,
                              const std::function<void(std::int32_t)>& on_token) const {
  std::size_t done = 0;
  std::size_t at = text.find_first_of(first_bytes_);
  while (at != std::string_view::npos) {
    const AddedToken* token = longest_at(text.substr(at));
    if (token == nullptr) {
      at = text.find_first_of(first_bytes_, at + 1);
      continue;
    }
    std::size_t begin = at, end = at + token->content.size();
    at = text.find_first_of(first_bytes_, end);
    if (token->single_word && (ends_in_word(text.substr(0, begin)) || starts_with_word(text.substr(end)))) continue;
    if (token->lstrip) begin = std::max(bytes_without_trailing_spaces(text.substr(0, begin)), done);
    if (token->rstrip) end += bytes_of_leading_spaces(text.substr(end));
    if (done < begin) on_text(text.substr(done, begin - done));
    on_token(token->id);
    done = end;
  }
  if (done < text.size()) on_text(text.substr(done));
}

}  // namespace lathe
