#include "model/io/gguf_tokenizer_fields.h"

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "model/data/error.h"

namespace lathe {

namespace {

using nlohmann::json;

enum TokenType : std::int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

[[noreturn]] void refuse(std::string what, std::string got, std::string expected) {
  throw Error({.code = ErrorCode::Tokenizer,
               .what = std::move(what),
               .where = "tokenizer.json",
               .got = std::move(got),
               .expected = std::move(expected),
               .hint = "export without a tokenizer, or as a Hugging Face folder"});
}

json parsed(const std::string& file, const char* name) {
  if (file.empty()) return json::object();
  json value = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) refuse(text(name, " cannot be read"), "no JSON object", "the tokenizer's own file");
  return value;
}

/// The stages of a pre-tokenizer in short: a regular expression, "digits", "bytes" (with GPT-2's cuts) ...
std::vector<std::string> stages(const json& pre_tokenizer) {
  const std::string type = pre_tokenizer.value("type", "");
  if (type == "Sequence") {
    std::vector<std::string> all;
    for (const json& stage : pre_tokenizer.at("pretokenizers")) {
      for (std::string& name : stages(stage)) all.push_back(std::move(name));
    }
    return all;
  }
  if (type == "Digits" && pre_tokenizer.value("individual_digits", false)) return {"digits"};
  if (type == "ByteLevel" && !pre_tokenizer.value("add_prefix_space", true)) {
    return {pre_tokenizer.value("use_regex", true) ? "words and bytes" : "bytes"};
  }
  const bool keeps_all = pre_tokenizer.value("behavior", "") == "Isolated" && !pre_tokenizer.value("invert", false);
  if (type == "Split" && keeps_all) return {pre_tokenizer.at("pattern").value("Regex", "")};
  return {type};
}

/// What llama.cpp calls a pre-tokenizer. Source: src/llama-vocab.cpp.
struct NamedStages {
  const char* name;
  std::vector<std::string> stages;
};

const std::array<NamedStages, 4>& known_stages() {
  static const std::array<NamedStages, 4> known{
      {{"smollm", {"digits", "words and bytes"}},
       {"gpt-2", {"words and bytes"}},
       {"llama-bpe",
        {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
         "bytes"}},
       {"qwen2",
        {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
         "bytes"}}}};
  return known;
}

std::string pre_name(const json& tokenizer) {
  const std::vector<std::string> found = stages(tokenizer.value("pre_tokenizer", json::object()));
  std::string names;
  for (const NamedStages& known : known_stages()) {
    if (found == known.stages) return known.name;
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  }
  refuse("this pre-tokenizer has no name in GGUF", found.empty() ? "none" : found.front(), "that of " + names);
}

/// "<0x0A>" spells a byte.
bool spells_byte(const std::string& token) {
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with(">");
}

/// Tokens and types by id, padded to the rows of the embedding.
class TokenTable {
 public:
  TokenTable(const json& tokenizer, std::int64_t vocab_size)
      : tokens_(static_cast<std::size_t>(vocab_size)), types_(tokens_.size(), kUnused) {
    const json& model = tokenizer.at("model");
    const bool has_bytes = model.value("byte_fallback", false);
    for (const auto& [token, id] : model.at("vocab").items()) {
      put(token, id, has_bytes && spells_byte(token) ? kByte : kNormal);
    }
    if (const auto unknown = model.find("unk_token"); unknown != model.end() && unknown->is_string()) {
      const auto id = model.at("vocab").find(unknown->get<std::string>());
      if (id != model.at("vocab").end()) put(id.key(), *id, kUnknown);
    }
    for (const json& added : tokenizer.value("added_tokens", json::array())) {
      const std::size_t id = added.at("id");
      if (id < types_.size() && types_[id] == kUnknown) continue;
      put(added.at("content"), added.at("id"), added.value("special", false) ? kControl : kUserDefined);
    }
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (types_[id] == kUnused) tokens_[id] = text("[PAD", id, "]");
    }
  }

  std::optional<std::int32_t> id_of(const std::string& token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }
  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::vector<std::int32_t>& types() const { return types_; }

 private:
  void put(const std::string& token, const json& id, TokenType type) {
    const auto place = id.get<std::int64_t>();
    if (place < 0 || place >= static_cast<std::int64_t>(tokens_.size())) {
      refuse("a token has no row in the table of embeddings", text("id ", place), text("below ", tokens_.size()));
    }
    tokens_[static_cast<std::size_t>(place)] = token;
    types_[static_cast<std::size_t>(place)] = type;
    ids_[token] = static_cast<std::int32_t>(place);
  }

  std::vector<std::string> tokens_;
  std::vector<std::int32_t> types_;
  std::unordered_map<std::string, std::int32_t> ids_;
};

/// Merges as pairs; older files write "left right".
std::vector<std::pair<std::string, std::string>> merges(const json& model) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const json& merge : model.at("merges")) {
    if (merge.is_array()) {
      pairs.emplace_back(merge.at(0), merge.at(1));
      continue;
    }
    const auto line = merge.get<std::string>();
    const std::size_t space = line.find(' ', 1);
    if (space == std::string::npos) refuse("a merge is not a pair", text("\"", line, "\""), "\"left right\"");
    pairs.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return pairs;
}

/// llama.cpp merges what makes the token of highest score, as sentencepiece does: the earlier a merge, the higher.
std::vector<float> scores(const json& model, const TokenTable& table) {
  std::vector<float> scores(table.tokens().size(), 0.0F);
  float score = 0.0F;
  for (const auto& [left, right] : merges(model)) {
    score -= 1.0F;
    const auto id = table.id_of(left + right);
    if (id && scores[static_cast<std::size_t>(*id)] == 0.0F) scores[static_cast<std::size_t>(*id)] = score;
  }
  return scores;
}

void put_model(const json& tokenizer, const TokenTable& table, GgufFields& fields) {
  const json& model = tokenizer.at("model");
  const bool is_spm = model.value("byte_fallback", false);
  fields.emplace_back("tokenizer.ggml.model", std::string(is_spm ? "llama" : "gpt2"));
  fields.emplace_back("tokenizer.ggml.pre", is_spm ? std::string("default") : pre_name(tokenizer));
  fields.emplace_back("tokenizer.ggml.tokens", table.tokens());
  if (is_spm) fields.emplace_back("tokenizer.ggml.scores", scores(model, table));
  fields.emplace_back("tokenizer.ggml.token_type", table.types());
  if (is_spm) return;
  std::vector<std::string> lines;
  for (const auto& [left, right] : merges(model)) lines.push_back(left + " " + right);
  fields.emplace_back("tokenizer.ggml.merges", std::move(lines));
}

/// A special token's text: tokenizer_config.json has it plain or as an object.
std::string spelling(const json& config, const char* key) {
  const auto found = config.find(key);
  if (found == config.end()) return {};
  if (found->is_string()) return *found;
  return found->is_object() ? found->value("content", "") : "";
}

void put_special_tokens(const json& config, const TokenTable& table, GgufFields& fields) {
  using Names = std::pair<const char*, const char*>;
  for (const auto& [key, gguf_key] : {Names{"bos_token", "bos_token_id"}, Names{"eos_token", "eos_token_id"},
                                      Names{"unk_token", "unknown_token_id"}, Names{"pad_token", "padding_token_id"}}) {
    const auto id = table.id_of(spelling(config, key));
    if (id) fields.emplace_back(text("tokenizer.ggml.", gguf_key), static_cast<std::uint32_t>(*id));
  }
}

/// Whether the post-processor puts this token at the `front` or the end of a text.
bool puts(const json& processor, const std::string& token, bool front) {
  if (!processor.is_object() || token.empty()) return false;
  if (processor.value("type", "") == "Sequence") {
    for (const json& stage : processor.at("processors")) {
      if (puts(stage, token, front)) return true;
    }
    return false;
  }
  const json single = processor.value("single", json::array());
  if (!single.is_array() || single.empty()) return false;
  const json& piece = front ? single.front() : single.back();
  return piece.contains("SpecialToken") && piece.at("SpecialToken").value("id", "") == token;
}

std::string chat_template(const TokenizerFiles& files, const json& config) {
  if (!files.chat_template_jinja.empty()) return files.chat_template_jinja;
  const auto found = config.find("chat_template");
  return found != config.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

GgufFields gguf_tokenizer_fields(const TokenizerFiles& files, std::int64_t vocab_size) try {
  const json tokenizer = parsed(files.tokenizer_json, "tokenizer.json");
  const json config = parsed(files.tokenizer_config_json, "tokenizer_config.json");
  if (tokenizer.value("model", json::object()).value("type", "") != "BPE") {
    refuse("this kind of tokenizer is not written", "another model", "BPE");
  }
  const TokenTable table(tokenizer, vocab_size);
  GgufFields fields;
  put_model(tokenizer, table, fields);
  put_special_tokens(config, table, fields);
  const json processor = tokenizer.value("post_processor", json());
  fields.emplace_back("tokenizer.ggml.add_bos_token", puts(processor, spelling(config, "bos_token"), /*front=*/true));
  fields.emplace_back("tokenizer.ggml.add_eos_token", puts(processor, spelling(config, "eos_token"), /*front=*/false));
  const std::string chat = chat_template(files, config);
  if (!chat.empty()) fields.emplace_back("tokenizer.chat_template", chat);
  return fields;
} catch (const nlohmann::json::exception&) {
  refuse("tokenizer.json is not what Hugging Face writes", "a part of another type", "its own format");
}

}  // namespace lathe
