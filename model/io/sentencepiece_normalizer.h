#pragma once

#include <string>
#include <string_view>

#include "model/io/added_tokens.h"
#include "model/io/sentencepiece_charsmap.h"

namespace lathe {

/// What sentencepiece does to a text before it cuts it.
/// Source: sentencepiece, src/normalizer.cc.
struct SentencePieceNormalizer {
  SentencePieceCharsmap charsmap{};         ///< empty: characters stay as they are
  bool add_dummy_prefix = true;             ///< a space before the text
  bool remove_extra_whitespaces = false;    ///< none at the ends, one at a time between
  bool escape_whitespaces = true;           ///< spaces become "▁"
  AddedTokenMatcher user_defined_pieces{};  ///< which the charsmap leaves alone

  std::string operator()(std::string_view text) const;
};

}  // namespace lathe
