#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/io/added_tokens.h"
#include "model/io/bpe.h"
#include "model/io/normalizer.h"
#include "model/io/pre_tokenizer.h"
#include "model/io/token_decoder.h"
#include "model/io/tokenizer.h"
#include "model/io/vocabulary.h"

namespace lathe {

/// The vocabulary, and the added tokens that are found in text by their spelling.
struct Tokens {
  Vocabulary vocabulary;
  std::vector<AddedToken> added;
  std::vector<bool> special;  ///< by id
};

/// The ids that the post-processor puts around a text.
struct SpecialFrame {
  std::vector<std::int32_t> before, after;
};

/// What a tokenizer consists of, in the order in which text goes through it.
struct Tokenizer::Parts {
  Tokens tokens;
  AddedTokenMatcher before_normalization;
  Normalizer normalizer;
  AddedTokenMatcher after_normalization;
  PreTokenizer pre_tokenizer;
  Bpe bpe;
  SpecialFrame frame;
  DecoderRules decoder;

  std::optional<std::int32_t> bos_id{};
  std::vector<std::int32_t> eos_ids{};
  std::string chat_template{};
  TokenizerFiles files{};
};

/// The added tokens that are looked for before normalization, or after it.
AddedTokenMatcher matcher_of(const Tokens& tokens, bool normalized);

/// The ids that a "post_processor" puts around a text. Throws Error naming what is broken or not supported.
SpecialFrame read_post_processor(const nlohmann::json& processor, const Vocabulary& vocabulary,
                                 const std::string& where);

/// Builds the parts that tokenizer.json describes. Throws Error naming what is broken or not supported.
Tokenizer::Parts read_tokenizer_json(const nlohmann::json& json, const std::string& where);

/// Builds the parts that a GGUF file's metadata describes. Throws Error naming what is broken or not supported.
Tokenizer::Parts parts_of_gguf(const GgufVocabulary& vocabulary, const std::string& where);

/// Adds what tokenizer_config.json, generation_config.json and the template file of `parts.files` say.
void read_tokenizer_config(Tokenizer::Parts& parts, const std::string& where);

}  // namespace lathe
