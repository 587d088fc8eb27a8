#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "model/io/tokenizer.h"
#include "tests/io/temp_folder.h"
#include "tests/support/places.h"

namespace lathe {

/// tests/io/tokenizer_goldens, which make_tokenizer_goldens.py writes.
inline std::filesystem::path golden_path(const std::string& name) {
  return std::filesystem::path(LATHE_SOURCE_DIR) / "tests/io/tokenizer_goldens" / name;
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

inline std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(static_cast<unsigned char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

inline std::string to_hex(const std::string& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char byte : bytes) {
    hex += kDigits[static_cast<unsigned char>(byte) >> 4];
    hex += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return hex;
}

/// The texts of the golden set, some of which are not UTF-8.
inline std::vector<std::string> golden_texts() {
  std::vector<std::string> texts;
  for (const std::string& line : lines_of(slurp(golden_path("texts.jsonl")))) {
    const auto json = nlohmann::json::parse(line);
    texts.push_back(json.is_string() ? json.get<std::string>() : from_hex(json.at("hex").get<std::string>()));
  }
  return texts;
}

/// One of the small tokenizers: "llama3_style", "gpt2_style", "mixed_style".
inline Tokenizer small_tokenizer(const std::string& style) {
  return Tokenizer::from_files({.tokenizer_json = slurp(golden_path(style + ".json"))}, style);
}

/// The metadata that a GGUF file would hold for one of the small tokenizers.
inline GgufVocabulary vocabulary_of(const std::string& style, const std::string& pre) {
  const auto file = nlohmann::json::parse(slurp(golden_path(style + ".json")));
  const Tokenizer tokenizer = small_tokenizer(style);
  GgufVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = pre;
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    vocabulary.tokens.emplace_back(tokenizer.token(id));
    vocabulary.types.push_back(tokenizer.is_special(id) ? 3 : 1);
  }
  for (const auto& merge : file["model"]["merges"]) {
    vocabulary.merges.push_back(merge.is_string() ? merge.get<std::string>()
                                                  : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  return vocabulary;
}

inline std::string joined(const std::vector<std::int32_t>& ids) {
  std::string text;
  for (const std::int32_t id : ids) text += (text.empty() ? "" : " ") + std::to_string(id);
  return text;
}

/// The default model's file, where set-up has fetched it.
inline std::optional<std::filesystem::path> default_model() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path base =
      cache != nullptr && *cache != '\0' ? cache : std::filesystem::path(home != nullptr ? home : "/") / ".cache";
  const auto folder = base / "lathe/models/smollm2-135m-instruct";
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(folder, ignored)) {
    if (file.path().extension() == ".gguf") return file.path();
  }
  return std::nullopt;
}

}  // namespace lathe

/// Ends the test as skipped where the default model was not fetched.
#define LATHE_NEEDS_DEFAULT_MODEL() \
  if (!lathe::default_model()) GTEST_SKIP() << "the default model is not there; ./lathe fetches it"
