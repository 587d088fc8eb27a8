#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lathe {

/// The tokens of a tokenizer: each id's spelling and the bytes that it stands for. Ids may have gaps.
class Vocabulary {
 public:
  static constexpr std::int64_t kMaxTokens = 4'000'000;
  static constexpr std::size_t kMaxTokenBytes = 64 << 10;

  /// Adds a token. Throws Error if the id is out of range, or the id or the spelling is taken; `where` names the file.
  void add(std::string spelling, std::int64_t id, const std::string& where);

  /// Gives a token another spelling to be shown and decoded with; id_of() still finds it by the first one.
  void respell(std::int32_t id, std::string spelling);

  bool contains(std::int64_t id) const;
  std::optional<std::int32_t> id_of(std::string_view spelling) const;

  /// Empty if there is no such id.
  std::string_view spelling(std::int64_t id) const;

  /// What `id` decodes to: the bytes that its spelling spells, or else the spelling itself. Empty if there is no such
  /// id.
  std::string_view bytes(std::int64_t id) const;

  /// Whether the spelling spells bytes, so that BPE can make this token from text.
  bool spells_bytes(std::int64_t id) const;

  std::int64_t count() const { return static_cast<std::int64_t>(ids_.size()); }
  std::int64_t end_id() const { return static_cast<std::int64_t>(tokens_.size()); }  ///< largest id + 1

 private:
  struct Token {
    std::string spelling;
    std::string bytes;
    bool spells_bytes = false;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  std::vector<Token> tokens_;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
};

}  // namespace lathe
