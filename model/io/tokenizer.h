#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/io/token_decoder.h"

namespace lathe {

class Checkpoint;

struct EncodeOptions {
  bool add_special_tokens = true;  ///< put the ids around the text that the post-processor names (Llama-3: a bos)
};

struct DecodeOptions {
  bool skip_special_tokens = true;  ///< leave out the text of special tokens
};

/// The texts of a tokenizer as a Hugging Face folder holds them; empty where there is none.
struct TokenizerFiles {
  std::string tokenizer_json{};
  std::string tokenizer_config_json{};
  std::string chat_template_jinja{};     ///< a template file beside the others wins over the one in tokenizer_config
  std::string generation_config_json{};  ///< read for its `eos_token_id`, a number or a list
  std::string tokenizer_model{};  ///< bytes of sentencepiece or of tiktoken; read where tokenizer.json is missing
};

/// What a GGUF file says of its tokenizer (`tokenizer.ggml.*`, `tokenizer.chat_template`).
struct GgufVocabulary {
  std::string model{};                ///< "gpt2": byte-level BPE with merges; "llama": sentencepiece with scores
  std::string pre{};                  ///< of "gpt2" the name of the pre-tokenizer: "smollm", "llama-bpe", "gpt-2"
  std::vector<std::string> tokens{};  ///< of "gpt2" in byte-level spelling
  std::vector<float> scores{};        ///< of "llama"
  std::vector<int32_t> types{};       ///< 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte
  std::vector<std::string> merges{};  ///< "left right"
  std::optional<int32_t> bos_id{}, eos_id{}, unknown_id{}, padding_id{};
  std::vector<int32_t> more_eos_ids{};  ///< eot and eom, where given
  std::optional<bool> add_bos{}, add_eos{};
  std::optional<bool> add_space_prefix{}, remove_extra_whitespaces{};  ///< of "llama"
  std::string chat_template{};
};

/// BPE on bytes as GPT-2, SmolLM2 and Llama-3 use it, or on characters as Llama-2 and Mistral do. Ids equal those of
/// the Hugging Face `tokenizers` package for a tokenizer.json and of `sentencepiece` for a tokenizer.model. Immutable:
/// copies share, const methods may run on any threads at once.
class Tokenizer {
 public:
  /// Reads tokenizer.json, or where that is missing tokenizer.model, and, where they exist, tokenizer_config.json,
  /// chat_template.jinja, generation_config.json.
  /// Throws Error that names what is missing, broken or not supported.
  static Tokenizer from_folder(const std::filesystem::path& folder);

  /// The same from texts; `source` is what errors name as the file.
  static Tokenizer from_files(TokenizerFiles files, const std::string& source);

  /// Throws Error if the pre-tokenizer's name is not one that Lathe knows: a guess would give wrong ids.
  static Tokenizer from_gguf(const GgufVocabulary& vocabulary, const std::string& source);

  /// Ids of `text`. Special tokens written in the text become their ids. Bytes that are not UTF-8 become U+FFFD first,
  /// as Python's bytes.decode(errors="replace") does.  Throws Error if the text has more than 1 GiB, or if a pattern
  /// that came with the model backtracks without end on it.
  std::vector<int32_t> encode(std::string_view text, EncodeOptions options = {}) const;

  /// Text of `ids`, always valid UTF-8 (U+FFFD for broken sequences). Ids outside the vocabulary give no text.
  std::string decode(std::span<const int32_t> ids, DecodeOptions options = {}) const;

  /// The vocabulary's own spelling ("Ġthe", "<|im_end|>"); empty if there is no such id.
  std::string_view token(int32_t id) const;

  /// What the token reads as (" the"); bytes that are not whole characters appear as "<0xE2>".
  std::string token_text(int32_t id) const;

  /// Id of the vocabulary's own spelling.
  std::optional<int32_t> id_of(std::string_view token) const;

  /// One more than the largest id.
  int64_t vocab_size() const;

  bool is_special(int32_t id) const;
  std::optional<int32_t> bos_id() const;
  std::optional<int32_t> eos_id() const;
  /// All ids that end a generation: eos first, then the others that the model's files name.
  std::span<const int32_t> eos_ids() const;

  /// The Jinja text, empty if the model has none; see chat_template.h.
  const std::string& chat_template() const;

  /// What to write beside saved weights: the bytes it was read from; for GGUF and tokenizer.model, also an equivalent
  /// tokenizer.json, if there can be one.
  const TokenizerFiles& files() const;

  struct Parts;  ///< tokenizer_parts.h
  explicit Tokenizer(std::shared_ptr<const Parts> parts);

 private:
  friend class StreamDecoder;
  std::shared_ptr<const Parts> parts_;
};

/// Whether load_tokenizer would find one, be it right or wrong.
bool has_tokenizer(const Checkpoint& checkpoint);

/// The tokenizer of an open model: of a GGUF file its own, else the one beside the weights, else the one beside a
/// config that the user named.  Throws Error as the functions above do.
Tokenizer load_tokenizer(const Checkpoint& checkpoint);

/// The same by path: a Hugging Face folder (its weights are not looked at), a `.gguf`, or any model that opens, with
/// open_checkpoint's `config_path`.
Tokenizer load_tokenizer(const std::filesystem::path& model, const std::filesystem::path& config_path = {});

/// Turns ids that arrive one by one into text without ever cutting a character.
/// The texts of all push() and of finish() joined equal decode() of all ids.
class StreamDecoder {
 public:
  explicit StreamDecoder(Tokenizer tokenizer, DecodeOptions options = {});

  /// The characters that `id` completes; may be empty.
  std::string push(int32_t id);

  /// What is left: U+FFFD for a character that never got whole. The decoder is then as new.
  std::string finish();

 private:
  Tokenizer tokenizer_;
  DecodeOptions options_;
  TokenDecoder decoder_;
};

}  // namespace lathe
