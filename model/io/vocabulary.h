#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lathe {

/// The next step with a tokenizer's file that is broken.
inline constexpr const char* kSaveTokenizerAgain =
    "get the file again, or save the tokenizer once more with transformers";

/// How the tokens of a vocabulary are spelled.
enum class Spelling : std::uint8_t {
  Bytes,          ///< each byte as one printable character, "Ġthe" (GPT-2, Llama-3)
  Text,           ///< as text with "▁" for a space, "▁the" (SentencePiece)
  TextWithBytes,  ///< the same, and "<0x0A>" is one byte of a character that has no token (Llama-2)
};

/// The tokens of a tokenizer: each id's spelling and the bytes that it stands for. Ids may have gaps.
class Vocabulary {
 public:
  static constexpr std::int64_t kMaxTokens = 4'000'000;
  static constexpr std::size_t kMaxTokenBytes = 64 << 10;

  explicit Vocabulary(Spelling spelling) : spelling_(spelling) {}

  /// Adds a token. Throws Error if the id is out of range, or the id or the spelling is taken; `where` names the file.
  void add(std::string spelling, std::int64_t id, const std::string& where);

  /// Gives a token another spelling to be shown and decoded with; id_of() still finds it by the first one.
  void respell(std::int32_t id, std::string spelling);

  Spelling spelled_as() const { return spelling_; }
  bool contains(std::int64_t id) const;
  std::optional<std::int32_t> id_of(std::string_view spelling) const;

  /// Empty if there is no such id.
  std::string_view spelling(std::int64_t id) const;

  /// What `id` decodes to inside a text: the bytes that its spelling spells, or else the spelling itself. Empty if
  /// there is no such id.
  std::string_view bytes(std::int64_t id) const;

  /// Whether the spelling spells bytes, so that BPE can make this token from text.
  bool spells_bytes(std::int64_t id) const;

  /// Whether the token is one byte of a character that has no token.
  bool is_single_byte(std::int64_t id) const;

  std::int64_t count() const { return static_cast<std::int64_t>(ids_.size()); }
  std::int64_t end_id() const { return static_cast<std::int64_t>(tokens_.size()); }  ///< largest id + 1

 private:
  struct Token {
    std::string spelling;
    std::string bytes;
    bool spells_bytes = false;
    bool is_single_byte = false;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  Spelling spelling_;
  std::vector<Token> tokens_;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
};

}  // namespace lathe
