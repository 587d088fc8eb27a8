#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/io/sentencepiece_normalizer.h"

namespace lathe {

struct SentencePiece {
  /// The numbers are those of the format, and GGUF's token types.
  enum class Kind : std::uint8_t { Normal = 1, Unknown, Control, UserDefined, Unused, Byte };
  std::string text;
  float score = 0;  ///< of two pieces that text could become, the one of the higher score is made first
  Kind kind = Kind::Normal;
};

/// What a sentencepiece `tokenizer.model` of the BPE type says.
/// Source: sentencepiece, src/sentencepiece_model.proto.
struct SentencePieceModel {
  std::vector<SentencePiece> pieces;  ///< by id
  bool byte_fallback = false;
  SentencePieceNormalizer normalizer{.remove_extra_whitespaces = true};  ///< without the user-defined pieces
  std::string unknown_surface = " \u2047 ";                              ///< what the unknown piece decodes to
  std::string bos_piece = "<s>", eos_piece = "</s>";
};

/// Reads a model, every length checked. Throws Error for what is broken, and for other types than BPE.
SentencePieceModel read_sentencepiece_model(std::string_view bytes, const std::string& where);

/// Throws Error unless the pieces can be a vocabulary: their number, lengths, scores, kinds, one unknown piece, and all
/// bytes or none.
void check_pieces(const SentencePieceModel& model, const std::string& where);

}  // namespace lathe
