#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/io/sentencepiece_normalizer.h"

namespace lathe {

/// Rewrites text before it is cut into pieces: a sequence of steps.
/// Source: `tokenizers`, src/normalizers.
class Normalizer {
 public:
  Normalizer() = default;

  /// Reads the "normalizer" of a tokenizer.json: Sequence, NFC, Prepend, and Replace of a literal.
  /// Throws Error that names any other type; `where` names the file.
  Normalizer(const nlohmann::json& json, const std::string& where);

  explicit Normalizer(SentencePieceNormalizer rules) : steps_{std::move(rules)} {}

  /// Whether text stays as it is.
  bool is_none() const { return steps_.empty(); }

  /// Well-formed UTF-8 in, well-formed UTF-8 out.
  std::string operator()(std::string_view text) const;

 private:
  struct Nfc {};
  struct Prepend {
    std::string text;
  };
  struct Replace {
    std::string pattern, content;
  };
  using Step = std::variant<Nfc, Prepend, Replace, SentencePieceNormalizer>;

  void add(const nlohmann::json& json, const std::string& where);
  static std::string run(const Nfc& step, std::string_view text);
  static std::string run(const Prepend& step, std::string_view text);
  static std::string run(const Replace& step, std::string_view text);
  static std::string run(const SentencePieceNormalizer& step, std::string_view text) { return step(text); }

  std::vector<Step> steps_;
};

}  // namespace lathe
