#include "model/io/tokenizer_sentencepiece.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "model/data/error.h"
#include "model/io/byte_level.h"
#include "model/io/unicode_classes.h"

namespace lathe {

namespace {

using nlohmann::json;
using Kind = SentencePiece::Kind;

/// The better the score, the lower the rank; equal scores are equal ranks. Pieces that text is not made into have none.
std::vector<std::uint32_t> ranks_of(const SentencePieceModel& model, bool makes_user_defined) {
  std::set<float, std::greater<>> scores;
  for (const SentencePiece& piece : model.pieces) scores.insert(piece.score);
  const std::vector<float> sorted(scores.begin(), scores.end());
  std::vector<std::uint32_t> ranks;
  for (const SentencePiece& piece : model.pieces) {
    const bool is_made = piece.kind == Kind::Normal || piece.kind == Kind::Unused ||
                         (piece.kind == Kind::UserDefined && makes_user_defined);
    const auto place = std::lower_bound(sorted.begin(), sorted.end(), piece.score, std::greater<>());
    ranks.push_back(is_made ? static_cast<std::uint32_t>(place - sorted.begin()) : kNoRank);
  }
  return ranks;
}

AddedToken added_of(const SentencePiece& piece, std::int32_t id, bool finds_first) {
  AddedToken token;
  token.id = id;
  token.content = piece.text;
  token.special = piece.kind == Kind::Control;
  token.normalized = !token.special && !finds_first;
  return token;
}

/// The pieces, and behind them what a config file adds.
Tokens tokens_of(const SentencePieceModel& model, const SentencePieceUse& use, const std::string& where) {
  Tokens tokens{.vocabulary = Vocabulary(model.byte_fallback ? Spelling::TextWithBytes : Spelling::Text),
                .added = {},
                .special = {}};
  for (const SentencePiece& piece : model.pieces) {
    const std::int64_t id = tokens.vocabulary.end_id();
    tokens.vocabulary.add(piece.text, id, where);
    const bool is_added = piece.kind == Kind::Control || piece.kind == Kind::UserDefined;
    if (is_added) tokens.added.push_back(added_of(piece, static_cast<std::int32_t>(id), use.finds_user_defined_first));
  }
  for (const AddedToken& token : use.added) {
    if (!tokens.vocabulary.contains(token.id)) tokens.vocabulary.add(token.content, token.id, where);
    if (tokens.vocabulary.spelling(token.id) != token.content) {
      throw Error({.code = ErrorCode::Tokenizer,
                   .what = text("added token ", token.id, " is another token of the model"),
                   .where = where,
                   .got = text("\"", token.content.substr(0, 100), "\""),
                   .expected = text("\"", tokens.vocabulary.spelling(token.id).substr(0, 100), "\""),
                   .hint = kSaveTokenizerAgain});
    }
    std::erase_if(tokens.added, [&](const AddedToken& known) { return known.id == token.id; });
    // What sentencepiece never finds in a text, its unknown piece, is not to be found here either.
    const bool is_unknown = static_cast<std::size_t>(token.id) < model.pieces.size() &&
                            model.pieces[static_cast<std::size_t>(token.id)].kind == Kind::Unknown;
    if (!is_unknown) tokens.added.push_back(token);
  }
  tokens.special.resize(static_cast<std::size_t>(tokens.vocabulary.end_id()));
  for (const AddedToken& token : tokens.added) tokens.special[static_cast<std::size_t>(token.id)] = token.special;
  return tokens;
}

std::int32_t unknown_id_of(const SentencePieceModel& model) {
  const auto is_unknown = [](const SentencePiece& piece) { return piece.kind == Kind::Unknown; };
  return static_cast<std::int32_t>(std::find_if(model.pieces.begin(), model.pieces.end(), is_unknown) -
                                   model.pieces.begin());
}

Bpe bpe_of(const SentencePieceModel& model, const SentencePieceUse& use, const Vocabulary& vocabulary) {
  std::vector<std::uint32_t> ranks = ranks_of(model, /*makes_user_defined=*/!use.finds_user_defined_first);
  ranks.resize(static_cast<std::size_t>(vocabulary.end_id()), kNoRank);
  BpeOptions options{.byte_fallback = model.byte_fallback, .unknown_id = unknown_id_of(model), .fuse_unknown = true};
  const auto is_unused = [](const SentencePiece& piece) { return piece.kind == Kind::Unused; };
  if (std::any_of(model.pieces.begin(), model.pieces.end(), is_unused)) {
    for (const SentencePiece& piece : model.pieces) options.unused.push_back(is_unused(piece));
  }
  return {vocabulary, rules_of_ranks(vocabulary, ranks), std::move(options)};
}

json merges_json(const Vocabulary& vocabulary, const std::vector<std::uint32_t>& ranks) {
  std::vector<BpeRule> rules = rules_of_ranks(vocabulary, ranks);
  std::erase_if(rules, [](const BpeRule& rule) { return BpeRule::is_unknown(std::min(rule.left, rule.right)); });
  const auto size = [&](std::int32_t id) { return vocabulary.spelling(id).size(); };
  std::stable_sort(rules.begin(), rules.end(), [&](const BpeRule& a, const BpeRule& b) {
    return a.rank != b.rank ? a.rank < b.rank : size(a.left) > size(b.left);
  });
  json merges = json::array();
  for (const BpeRule& rule : rules) merges.push_back({vocabulary.spelling(rule.left), vocabulary.spelling(rule.right)});
  return merges;
}

json added_json(const std::vector<AddedToken>& added) {
  json list = json::array();
  for (const AddedToken& token : added) {
    list.push_back({{"id", token.id},
                    {"content", token.content},
                    {"single_word", token.single_word},
                    {"lstrip", token.lstrip},
                    {"rstrip", token.rstrip},
                    {"normalized", false},
                    {"special", token.special}});
  }
  std::sort(list.begin(), list.end(), [](const json& a, const json& b) { return a["id"] < b["id"]; });
  return list;
}

json processor_json(const SpecialFrame& frame, const Vocabulary& vocabulary) {
  if (frame.before.empty() && frame.after.empty()) return nullptr;
  json single = json::array(), special = json::object();
  const auto put = [&](const std::vector<std::int32_t>& ids) {
    for (const std::int32_t id : ids) {
      const std::string token(vocabulary.spelling(id));
      single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
      special[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
    }
  };
  const json first = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const json second = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  put(frame.before);
  single.push_back(first);
  put(frame.after);
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", {first, second}}, {"special_tokens", special}};
}

json step(const char* type, json fields = json::object()) {
  fields["type"] = type;
  return fields;
}

}  // namespace

Tokenizer::Parts parts_of_sentencepiece(const SentencePieceModel& model, const SentencePieceUse& use,
                                        const std::string& where) {
  check_pieces(model, where);
  Tokens tokens = tokens_of(model, use, where);
  SentencePieceNormalizer normalizer = model.normalizer;
  normalizer.user_defined_pieces = matcher_of(tokens, /*normalized=*/true);
  const bool strips = normalizer.add_dummy_prefix || normalizer.remove_extra_whitespaces;
  DecoderRules decoder{.spelling = tokens.vocabulary.spelled_as(),
                       .replaces_each_bad_byte = true,
                       .strips_pieces = strips,
                       .strips_every_first_piece = normalizer.remove_extra_whitespaces,
                       .unknown_id = unknown_id_of(model),
                       .unknown_text = model.unknown_surface};
  SpecialFrame frame;
  if (use.add_bos && use.bos_id) frame.before.push_back(*use.bos_id);
  if (use.add_eos && use.eos_id) frame.after.push_back(*use.eos_id);
  Bpe bpe = bpe_of(model, use, tokens.vocabulary);
  AddedTokenMatcher before = matcher_of(tokens, /*normalized=*/false);
  AddedTokenMatcher after = matcher_of(tokens, /*normalized=*/true);
  Tokenizer::Parts parts{.tokens = std::move(tokens),
                         .before_normalization = std::move(before),
                         .normalizer = Normalizer(std::move(normalizer)),
                         .after_normalization = std::move(after),
                         .pre_tokenizer = PreTokenizer(),
                         .bpe = std::move(bpe),
                         .frame = std::move(frame),
                         .decoder = std::move(decoder),
                         .bos_id = use.bos_id};
  if (use.eos_id) parts.eos_ids.push_back(*use.eos_id);
  return parts;
}

json sentencepiece_as_json(const SentencePieceModel& model, const Tokenizer::Parts& parts) {
  if (!model.normalizer.charsmap.empty() || model.normalizer.remove_extra_whitespaces) return nullptr;
  const Vocabulary& vocabulary = parts.tokens.vocabulary;
  json normalizers = json::array(), vocab = json::object();
  if (model.normalizer.add_dummy_prefix) normalizers.push_back(step("Prepend", {{"prepend", kMetaspace}}));
  normalizers.push_back(step("Replace", {{"pattern", {{"String", " "}}}, {"content", kMetaspace}}));
  json decoders = {step("Replace", {{"pattern", {{"String", kMetaspace}}}, {"content", " "}}), step("ByteFallback"),
                   step("Fuse")};
  if (model.normalizer.add_dummy_prefix) {
    decoders.push_back(step("Strip", {{"content", " "}, {"start", 1}, {"stop", 0}}));
  }
  std::vector<std::uint32_t> ranks = ranks_of(model, /*makes_user_defined=*/false);
  for (std::size_t id = 0; id < model.pieces.size(); ++id) vocab[model.pieces[id].text] = id;
  ranks.resize(static_cast<std::size_t>(vocabulary.end_id()), kNoRank);
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added_json(parts.tokens.added)},
          {"normalizer", step("Sequence", {{"normalizers", normalizers}})},
          {"pre_tokenizer", nullptr},
          {"post_processor", processor_json(parts.frame, vocabulary)},
          {"decoder", step("Sequence", {{"decoders", decoders}})},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", model.pieces[static_cast<std::size_t>(unknown_id_of(model))].text},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", model.byte_fallback},
            {"ignore_merges", false},
            {"vocab", std::move(vocab)},
            {"merges", merges_json(vocabulary, ranks)}}}};
}

}  // namespace lathe
