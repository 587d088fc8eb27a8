#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/io/sentencepiece_model.h"
#include "model/io/tokenizer_parts.h"

namespace lathe {

/// What a sentencepiece model does not say itself.
struct SentencePieceUse {
  std::optional<std::int32_t> bos_id{}, eos_id{};
  bool add_bos = true, add_eos = false;
  /// User-defined pieces are found in the text as the user wrote it, as `tokenizers` and llama.cpp find added tokens;
  /// else in the normalized text, as sentencepiece does.
  bool finds_user_defined_first = false;
  std::vector<AddedToken> added{};  ///< tokens that a config file adds to the pieces or says more of
};

/// Builds a tokenizer that gives the ids of sentencepiece. Control pieces that are written in the text become their
/// ids, and what is between them is a text of its own. Throws Error naming what is broken or not supported.
Tokenizer::Parts parts_of_sentencepiece(const SentencePieceModel& model, const SentencePieceUse& use,
                                        const std::string& where);

/// The tokenizer.json that `transformers` makes of such a model; null if there is none that means the same.
nlohmann::json sentencepiece_as_json(const SentencePieceModel& model, const Tokenizer::Parts& parts);

/// Reads the tokenizer.model of `files`, sentencepiece's or tiktoken's, and what tokenizer_config.json adds to it.
Tokenizer::Parts read_tokenizer_model(const TokenizerFiles& files, const std::string& where);

}  // namespace lathe
