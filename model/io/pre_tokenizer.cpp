#include "model/io/pre_tokenizer.h"

#include <variant>
#include <vector>

#include "model/data/error.h"
#include "model/data/json_object.h"
#include "model/io/byte_level.h"
#include "model/io/pattern_split.h"
#include "model/io/unicode_classes.h"
#include "model/io/vocabulary.h"
#include "model/io/word_splitters.h"

namespace lathe {

namespace {

using Pieces = std::vector<std::string_view>;

/// What a stage works on, and where it may keep text that it changed.
struct Part {
  std::string_view text;
  bool is_start;  ///< of what the user wrote
  std::string& changed;
};

constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Gpt2Words {
  void split(const Part& part, Pieces& pieces) const { split_gpt2_words(part.text, pieces); }
};

struct Llama3Words {
  int max_digits;
  void split(const Part& part, Pieces& pieces) const { split_llama3_words(part.text, max_digits, pieces); }
};

struct Pattern {
  std::shared_ptr<const PatternSplit> rule;
  void split(const Part& part, Pieces& pieces) const { rule->split(part.text, pieces); }
};

/// Each numeric character a piece of its own, or each run of them; what is between them is a piece too.
struct Digits {
  bool individual;

  void split(const Part& part, Pieces& pieces) const {
    const std::string_view text = part.text;
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

/// Spaces become "▁", with one more before the text, and words are cut before them.
struct Metaspace {
  enum class Prepend { Never, First, Always };
  Prepend prepend = Prepend::Always;
  bool cuts = true;

  static Metaspace read(JsonObject& json) {
    const auto refuse = [&](const std::string& got, const char* expected) {
      throw Error({.code = ErrorCode::Tokenizer,
                   .what = "the Metaspace pre-tokenizer is of an unknown kind",
                   .where = json.where(),
                   .got = got,
                   .expected = expected,
                   .hint = kSaveTokenizerAgain});
    };
    const std::string replacement = json.string("replacement", std::string(kMetaspace));
    if (replacement != kMetaspace) refuse(text("replacement \"", replacement.substr(0, 100), "\""), "\"▁\"");
    const bool adds = json.boolean("add_prefix_space", true);
    const std::string scheme = json.string("prepend_scheme", adds ? "always" : "never");
    if (scheme != "always" && scheme != "first" && scheme != "never") {
      refuse(text("prepend_scheme \"", scheme.substr(0, 100), "\""), "always, first or never");
    }
    const bool cuts = json.boolean("split", true);
    return {scheme == "always" ? Prepend::Always : scheme == "first" ? Prepend::First : Prepend::Never, cuts};
  }

  void split(const Part& part, Pieces& pieces) const {
    part.changed = with_metaspaces(part.text);
    const bool adds = prepend == Prepend::Always || (prepend == Prepend::First && part.is_start);
    if (adds && !part.changed.starts_with(kMetaspace)) part.changed.insert(0, kMetaspace);
    std::string_view rest = part.changed;
    while (cuts && !rest.empty()) {
      const std::size_t next = rest.find(kMetaspace, 1);
      if (next == std::string_view::npos) break;
      pieces.push_back(rest.substr(0, next));
      rest.remove_prefix(next);
    }
    if (!rest.empty()) pieces.push_back(rest);
  }
};

/// The last stage of byte-level models; may add a space before each part, and cut it into GPT-2's words.
struct ByteLevel {
  bool add_prefix_space, cuts;

  void split(const Part& part, Pieces& pieces) const {
    std::string_view text = part.text;
    if (add_prefix_space && !text.starts_with(' ')) text = part.changed.assign(1, ' ').append(text);
    if (!cuts) return pieces.push_back(text);
    split_gpt2_words(text, pieces);
  }
};

using Stage = std::variant<Gpt2Words, Llama3Words, Digits, Pattern, Metaspace, ByteLevel>;

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
  std::vector<Stage> list;
  bool gives_bytes = false;

  void add(const nlohmann::json& json, const std::string& where);
};

void PreTokenizer::Stages::add(const nlohmann::json& json, const std::string& where) {
  JsonObject object(json, where);
  const std::string type = object.string("type");
  const auto refuse = [&](const char* expected) {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = "the tokenizer's pre-tokenizer is not supported",
                 .where = where,
                 .got = text("\"", type, "\"", gives_bytes ? " after ByteLevel" : ""),
                 .expected = expected,
                 .hint = "a model of the Llama family has one of these"});
  };
  if (gives_bytes) refuse("ByteLevel as the last one");
  if (type == "Sequence") {
    object.objects("pretokenizers");
    for (const nlohmann::json& stage : json.at("pretokenizers")) add(stage, where);
  } else if (type == "Split") {
    list.push_back(stage_of_split(object));
  } else if (type == "Punctuation") {
    list.emplace_back(Pattern{std::make_shared<const PatternSplit>(PatternSplit::at_punctuation(object))});
  } else if (type == "Digits") {
    list.emplace_back(Digits{.individual = object.boolean("individual_digits", false)});
  } else if (type == "Metaspace") {
    list.emplace_back(Metaspace::read(object));
  } else if (type == "ByteLevel") {
    list.emplace_back(ByteLevel{object.boolean("add_prefix_space", true), object.boolean("use_regex", true)});
    gives_bytes = true;
  } else {
    refuse("Sequence, Split, Digits, Punctuation, Metaspace, ByteLevel");
  }
}

PreTokenizer::PreTokenizer() : stages_(std::make_shared<const Stages>()) {}

PreTokenizer::PreTokenizer(const nlohmann::json& json, const std::string& where) {
  auto stages = std::make_shared<Stages>();
  if (!json.is_null()) stages->add(json, where);
  stages_ = std::move(stages);
}

bool PreTokenizer::gives_bytes() const { return stages_->gives_bytes; }

void PreTokenizer::split(std::string_view text, bool is_start,
                         const std::function<void(std::string_view)>& piece) const {
  const std::vector<Stage>& stages = stages_->list;
  // The pieces of each stage, cut depth first so that they stay in the cache, and kept so that they are allocated once.
  std::vector<Pieces> pieces(stages.size());
  std::vector<std::string> changed(stages.size());
  const auto cut = [&](const auto& self, std::size_t stage, std::string_view part, bool starts) -> void {
    if (stage == stages.size()) return piece(part);
    pieces[stage].clear();
    const Part input{part, starts, changed[stage]};
    std::visit([&](const auto& splitter) { splitter.split(input, pieces[stage]); }, stages[stage]);
    for (const std::string_view finer : pieces[stage]) {
      self(self, stage + 1, finer, starts);
      starts = false;
    }
  };
  if (!text.empty()) cut(cut, 0, text, is_start);
}

}  // namespace lathe
