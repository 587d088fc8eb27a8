#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/io/vocabulary.h"

namespace lathe {

/// How ids become text again. Sources: `tokenizers`, src/decoders; sentencepiece, src/sentencepiece_processor.cc.
struct DecoderRules {
  Spelling spelling = Spelling::Bytes;
  int spaces_to_strip = 0;              ///< at the start of the whole text
  bool strips_first_token = false;      ///< the first token loses every space in it (the Metaspace decoder)
  bool replaces_each_bad_byte = false;  ///< by U+FFFD; else one bad byte spoils its whole run of byte tokens

  /// sentencepiece's own decoding: while there is no text yet, a piece loses a space at its start.
  bool strips_pieces = false, strips_every_first_piece = false;
  std::optional<std::int32_t> unknown_id{};
  std::string unknown_text{};  ///< what `unknown_id` reads as

  /// Reads the "decoder" of a tokenizer.json: ByteLevel, Metaspace, or a Sequence of Replace, ByteFallback, Fuse,
  /// Strip. Throws Error that names what is not supported; `where` names the file.
  static DecoderRules from_json(const nlohmann::json& json, const std::string& where);
};

/// Text from ids that arrive one by one. decode() and StreamDecoder both use it, so that they give the same.
class TokenDecoder {
 public:
  /// Appends to `text` what `id` completes; bytes of an unfinished character stay behind.
  void push(const Vocabulary& vocabulary, const DecoderRules& rules, std::int32_t id, std::string& text);

  /// Appends what is left, with U+FFFD for what never became a character. The decoder is then as new.
  void finish(const DecoderRules& rules, std::string& text);

 private:
  void add(const DecoderRules& rules, std::string_view part, std::string& text);
  void add_whole_characters(std::string& text);
  void end_byte_run(const DecoderRules& rules, std::string& text);

  std::string pending_;
  int stripped_ = 0;  // spaces at the start so far
  bool has_text_ = false;
  bool is_first_token_ = true;
  bool piece_lost_space_ = false;
};

}  // namespace lathe
