#include "model/io/bpe_rules.h"

#include "model/data/error.h"
#include "model/io/unicode_classes.h"

namespace lathe {

std::vector<BpeRule> rules_of_merges(const Vocabulary& vocabulary, const std::vector<MergeRule>& merges,
                                     const std::string& where) {
  std::vector<BpeRule> rules;
  rules.reserve(merges.size());
  for (const auto& [left, right] : merges) {
    const auto id = [&](const std::string& token) {
      if (const auto found = vocabulary.id_of(token)) return *found;
      throw Error({.code = ErrorCode::Tokenizer,
                   .what = text("merge ", rules.size(), " needs a token that the vocabulary lacks"),
                   .where = where,
                   .got = text("\"", left.substr(0, 100), "\" + \"", right.substr(0, 100), "\""),
                   .expected = text("a token \"", token.substr(0, 200), "\""),
                   .hint = kSaveTokenizerAgain});
    };
    rules.push_back({.left = id(left),
                     .right = id(right),
                     .joined = id(left + right),
                     .rank = static_cast<std::uint32_t>(rules.size())});
  }
  return rules;
}

std::vector<BpeRule> rules_of_ranks(const Vocabulary& vocabulary, std::span<const std::uint32_t> ranks) {
  const auto is_made = [&](std::int32_t id) { return ranks[static_cast<std::size_t>(id)] != kNoRank; };
  /// What stands for a part of a token before the parts join: itself, a character, or nothing.
  const auto symbol = [&](std::string_view part) -> std::optional<std::int32_t> {
    const Utf8Char first = utf8_char(part.data());
    const bool is_character = first.size == part.size();
    if (const auto id = vocabulary.id_of(part); id && (is_character || is_made(*id))) return id;
    if (is_character) return BpeRule::unknown(first.code);
    return std::nullopt;
  };
  std::vector<BpeRule> rules;
  for (std::int32_t id = 0; id < vocabulary.end_id(); ++id) {
    const std::string_view whole = vocabulary.spelling(id);
    if (whole.empty() || !is_made(id)) continue;
    for (std::size_t cut = utf8_char(whole.data()).size; cut < whole.size(); cut += utf8_char(&whole[cut]).size) {
      const auto left = symbol(whole.substr(0, cut)), right = symbol(whole.substr(cut));
      if (left && right) rules.push_back({*left, *right, id, ranks[static_cast<std::size_t>(id)]});
    }
  }
  return rules;
}

}  // namespace lathe
