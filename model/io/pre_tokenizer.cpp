#include "model/io/pre_tokenizer.h"

#include <variant>
#include <vector>

#include "model/data/error.h"
#include "model/data/json_object.h"
#include "model/io/pattern_split.h"
#include "model/io/unicode_classes.h"
#include "model/io/word_splitters.h"

namespace lathe {

namespace {

using Pieces = std::vector<std::string_view>;

constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Gpt2Words {
  void split(std::string_view text, Pieces& pieces) const { split_gpt2_words(text, pieces); }
};

struct Llama3Words {
  int max_digits;
  void split(std::string_view text, Pieces& pieces) const { split_llama3_words(text, max_digits, pieces); }
};

/// Each numeric character a piece of its own, or each run of them; what is between them is a piece too.
struct Digits {
  bool individual;

  void split(std::string_view text, Pieces& pieces) const {
    const std::uint8_t* classes = character_classes();
    std::size_t begin = 0;
    bool in_digits = false;
    for (std::size_t at = 0; at < text.size();) {
      const Utf8Char next = utf8_char(text.data() + at);
      const bool is_digit = (classes[next.code] & kNumeric) != 0;
      if (begin < at && (is_digit != in_digits || (is_digit && individual))) {
        pieces.push_back(text.substr(begin, at - begin));
        begin = at;
      }
      in_digits = is_digit;
      at += next.size;
    }
    if (begin < text.size()) pieces.push_back(text.substr(begin));
  }
};

struct Pattern {
  std::shared_ptr<const PatternSplit> rule;
  void split(std::string_view text, Pieces& pieces) const { rule->split(text, pieces); }
};

using Stage = std::variant<Gpt2Words, Llama3Words, Digits, Pattern>;

Stage stage_of_split(const JsonObject& json) {
  auto split = std::make_shared<const PatternSplit>(json);
  if (const std::string* pattern = split->plain_pattern()) {
    if (*pattern == kGpt2Pattern) return Gpt2Words{};
    if (*pattern == kLlama3Pattern) return Llama3Words{.max_digits = 3};
    if (*pattern == kQwen2Pattern) return Llama3Words{.max_digits = 1};
  }
  return Pattern{std::move(split)};
}

}  // namespace

struct PreTokenizer::Stages {
  std::vector<Stage> before_bytes;
  bool add_prefix_space = false;
  bool split_words = false;  // ByteLevel's own use of the GPT-2 pattern
  bool complete = false;

  void add(const nlohmann::json& json, const std::string& where);
};

void PreTokenizer::Stages::add(const nlohmann::json& json, const std::string& where) {
  JsonObject object(json, where);
  const std::string type = object.string("type");
  check(!complete, "[tokenizer] pre-tokenizer \"", type,
        "\" comes after ByteLevel, which must be the last; in: ", where);
  if (type == "Sequence") {
    object.objects("pretokenizers");
    for (const nlohmann::json& stage : json.at("pretokenizers")) add(stage, where);
  } else if (type == "Split") {
    before_bytes.push_back(stage_of_split(object));
  } else if (type == "Digits") {
    before_bytes.push_back(Digits{.individual = object.boolean("individual_digits", false)});
  } else if (type == "ByteLevel") {
    add_prefix_space = object.boolean("add_prefix_space", true);
    split_words = object.boolean("use_regex", true);
    complete = true;
  } else {
    throw Error(lathe::text("[tokenizer] pre-tokenizer \"", type,
                            "\" is not supported; supported are Sequence, Split, Digits, ByteLevel; in: ", where));
  }
}

PreTokenizer::PreTokenizer(const nlohmann::json& json, const std::string& where) {
  auto stages = std::make_shared<Stages>();
  if (!json.is_null()) stages->add(json, where);
  check(stages->complete,
        "[tokenizer] no ByteLevel pre-tokenizer: not a byte-level model, the only kind that Lathe reads; in: ", where);
  stages_ = std::move(stages);
}

void PreTokenizer::split(std::string_view text, const std::function<void(std::string_view)>& piece) const {
  // The pieces of each stage, cut depth first so that they stay in the cache, and kept so that they are allocated once.
  std::vector<Pieces> pieces(stages_->before_bytes.size() + 1);
  std::string prefixed;
  const auto cut_words = [&](std::string_view part) {
    if (stages_->add_prefix_space && !part.starts_with(' ')) {
      prefixed.assign(1, ' ').append(part);
      part = prefixed;
    }
    if (!stages_->split_words) return piece(part);
    pieces.back().clear();
    split_gpt2_words(part, pieces.back());
    for (const std::string_view word : pieces.back()) piece(word);
  };
  const auto cut = [&](const auto& self, std::size_t stage, std::string_view part) -> void {
    if (stage == stages_->before_bytes.size()) return cut_words(part);
    pieces[stage].clear();
    std::visit([&](const auto& splitter) { splitter.split(part, pieces[stage]); }, stages_->before_bytes[stage]);
    for (const std::string_view finer : pieces[stage]) self(self, stage + 1, finer);
  };
  if (!text.empty()) cut(cut, 0, text);
}

}  // namespace lathe
