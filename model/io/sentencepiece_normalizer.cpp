#include "model/io/sentencepiece_normalizer.h"

#include "model/io/byte_level.h"
#include "model/io/unicode_classes.h"

namespace lathe {

namespace {

/// Appends the text part by part, each as the rules rewrite it.
class Rewriter {
 public:
  Rewriter(const SentencePieceNormalizer& rules, std::string& out)
      : rules_(rules), out_(out), after_space_(rules.remove_extra_whitespaces) {}

  void add(std::string_view part) {
    while (after_space_ && part.starts_with(' ')) part.remove_prefix(1);
    if (part.empty()) return;
    after_space_ = rules_.remove_extra_whitespaces && part.ends_with(' ');
    if (rules_.escape_whitespaces) {
      out_ += with_metaspaces(part);
    } else {
      out_ += part;
    }
  }

  void add_characters(std::string_view text) {
    while (!text.empty()) {
      const AddedToken* piece = rules_.user_defined_pieces.longest_at(text);
      const auto replaced = piece == nullptr ? rules_.charsmap.match(text) : std::nullopt;
      const std::size_t length = piece != nullptr ? piece->content.size()
                                 : replaced       ? replaced->first
                                                  : utf8_char(text.data()).size;
      add(replaced ? replaced->second : text.substr(0, length));
      text.remove_prefix(length);
    }
  }

 private:
  const SentencePieceNormalizer& rules_;
  std::string& out_;
  bool after_space_;
};

}  // namespace

std::string SentencePieceNormalizer::operator()(std::string_view text) const {
  if (text.empty()) return {};
  const std::string_view space = escape_whitespaces ? kMetaspace : " ";
  std::string result(add_dummy_prefix ? space : "");
  Rewriter rewriter(*this, result);
  if (charsmap.empty() && !remove_extra_whitespaces) {
    rewriter.add(text);
  } else {
    rewriter.add_characters(text);
  }
  while (remove_extra_whitespaces && result.ends_with(space)) result.resize(result.size() - space.size());
  return result;
}

}  // namespace lathe
