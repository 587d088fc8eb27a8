#include "model/io/tiktoken.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "model/data/error.h"
#include "model/io/bpe_rules.h"
#include "model/io/byte_level.h"

namespace lathe {

namespace {

constexpr std::size_t kMaxLineBytes = 2 << 10;
constexpr int kSpecialTokens = 256;
constexpr int kControl = 3;

/// The special tokens by their place behind the others; those that are not here are reserved.
constexpr std::array<const char*, 11> kNamed{"<|begin_of_text|>",
                                             "<|end_of_text|>",
                                             "<|reserved_special_token_0|>",
                                             "<|reserved_special_token_1|>",
                                             "<|finetune_right_pad_id|>",
                                             "<|reserved_special_token_2|>",
                                             "<|start_header_id|>",
                                             "<|end_header_id|>",
                                             "<|eom_id|>",
                                             "<|eot_id|>",
                                             "<|python_tag|>"};
constexpr int kEnd = 1, kEndOfMessage = 8, kEndOfTurn = 9;

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/// Nullopt if it is not base64 with its padding.
std::optional<std::string> from_base64(std::string_view encoded) {
  if (encoded.empty() || encoded.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = encoded.ends_with("==") ? 2 : encoded.ends_with('=') ? 1 : 0;
  encoded.remove_suffix(padding);
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : encoded) {
    const int value = base64_value(c);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<unsigned>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(static_cast<unsigned char>(bits >> count));
  }
  return bytes;
}

/// The token of a line whose rank is `rank`, or nullopt.
std::optional<std::string> token_of(std::string_view line, std::size_t rank) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || line.size() > kMaxLineBytes) return std::nullopt;
  std::size_t said = 0;
  const auto [end, error] = std::from_chars(line.data() + space + 1, line.data() + line.size(), said);
  if (error != std::errc() || end != line.data() + line.size() || said != rank) return std::nullopt;
  return from_base64(line.substr(0, space));
}

std::vector<std::string> merges_of(const GgufVocabulary& tiktoken, const std::string& where) {
  Vocabulary vocabulary(Spelling::Bytes);
  std::vector<std::uint32_t> ranks;
  for (const std::string& token : tiktoken.tokens) {
    ranks.push_back(static_cast<std::uint32_t>(ranks.size()));
    vocabulary.add(token, vocabulary.end_id(), where);
  }
  std::vector<BpeRule> rules = rules_of_ranks(vocabulary, ranks);
  std::erase_if(rules, [](const BpeRule& rule) { return BpeRule::is_unknown(std::min(rule.left, rule.right)); });
  std::sort(rules.begin(), rules.end(), [](const BpeRule& a, const BpeRule& b) {
    return std::tuple(a.rank, a.left, a.right) < std::tuple(b.rank, b.left, b.right);
  });
  std::vector<std::string> merges;
  for (const BpeRule& rule : rules) {
    merges.push_back(tiktoken.tokens[static_cast<std::size_t>(rule.left)] + " " +
                     tiktoken.tokens[static_cast<std::size_t>(rule.right)]);
  }
  return merges;
}

void add_special_tokens(GgufVocabulary& vocabulary) {
  const auto first = static_cast<std::int32_t>(vocabulary.tokens.size());
  vocabulary.types.assign(vocabulary.tokens.size(), 1);
  int reserved = 3;  // three are among the named ones
  for (std::size_t i = 0; i < kSpecialTokens; ++i) {
    vocabulary.tokens.push_back(i < kNamed.size() ? kNamed[i] : text("<|reserved_special_token_", reserved++, "|>"));
    vocabulary.types.push_back(kControl);
  }
  vocabulary.bos_id = first;
  vocabulary.eos_id = first + kEnd;
  vocabulary.more_eos_ids = {first + kEndOfMessage, first + kEndOfTurn};
}

}  // namespace

bool looks_like_tiktoken(std::string_view bytes) {
  return token_of(bytes.substr(0, bytes.substr(0, kMaxLineBytes).find('\n')), 0).has_value();
}

GgufVocabulary read_tiktoken(std::string_view bytes, const std::string& where) {
  GgufVocabulary vocabulary{.model = "gpt2", .pre = "llama-bpe"};
  while (!bytes.empty()) {
    const std::size_t rank = vocabulary.tokens.size();
    const std::string_view line = bytes.substr(0, bytes.find('\n'));
    const auto token = token_of(line, rank);
    if (!token || rank >= static_cast<std::size_t>(Vocabulary::kMaxTokens)) {
      throw Error({.code = token ? ErrorCode::Limit : ErrorCode::Tokenizer,
                   .what = "a line of the tokenizer cannot be read",
                   .where = text("line ", rank + 1, " of ", where),
                   .got = text("\"", spell_bytes(line.substr(0, 60)), "\""),
                   .expected = text("base64, a space and the rank ", rank),
                   .hint = "download the file again"});
    }
    vocabulary.tokens.push_back(spell_bytes(*token));
    bytes.remove_prefix(std::min(line.size() + 1, bytes.size()));
  }
  vocabulary.merges = merges_of(vocabulary, where);
  add_special_tokens(vocabulary);
  return vocabulary;
}

}  // namespace lathe
