#include "model/io/pattern_split.h"

#include <algorithm>

#include "model/data/error.h"
#include "model/io/unicode_classes.h"
#include "model/io/vocabulary.h"

namespace lathe {

PatternSplit::PatternSplit(JsonObject json)
    : behavior_(behavior_named(json.string("behavior"), json.where())), invert_(json.boolean("invert", false)) {
  JsonObject pattern = json.object("pattern");
  if (pattern.has("Regex")) {
    pattern_ = pattern.string("Regex");
    kind_ = Regex(pattern_, json.where());
  } else {
    pattern_ = pattern.string("String");
    if (pattern_.empty()) {
      throw Error({.code = ErrorCode::Tokenizer,
                   .what = "Split cuts at an empty string",
                   .where = json.where(),
                   .got = "\"\"",
                   .expected = "a text",
                   .hint = kSaveTokenizerAgain});
    }
  }
}

PatternSplit PatternSplit::at_punctuation(JsonObject json) {
  return {behavior_named(json.string("behavior", "Isolated"), json.where()), Punctuation{}};
}

PatternSplit::Behavior PatternSplit::behavior_named(const std::string& name, const std::string& where) {
  if (name == "Removed") return Behavior::Removed;
  if (name == "Isolated") return Behavior::Isolated;
  if (name == "MergedWithPrevious") return Behavior::MergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::MergedWithNext;
  if (name == "Contiguous") return Behavior::Contiguous;
  throw Error({.code = ErrorCode::Tokenizer,
               .what = "a pre-tokenizer's behavior is unknown",
               .where = where,
               .got = text("\"", name.substr(0, 100), "\""),
               .expected = "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous",
               .hint = kSaveTokenizerAgain});
}

const std::string* PatternSplit::plain_pattern() const {
  const bool all = behavior_ == Behavior::Isolated;
  const bool matches_only = behavior_ == Behavior::Removed && invert_;
  return std::holds_alternative<Regex>(kind_) && (all || matches_only) ? &pattern_ : nullptr;
}

void PatternSplit::for_each_match(std::string_view text, const Find& found) const {
  if (const auto* regex = std::get_if<Regex>(&kind_)) return regex->for_each_match(text, found);
  if (std::holds_alternative<Punctuation>(kind_)) {
    for (std::size_t at = 0; at < text.size();) {
      const Utf8Char next = utf8_char(text.data() + at);
      if ((character_classes()[next.code] & kPunctuation) != 0) found(at, at + next.size);
      at += next.size;
    }
    return;
  }
  constexpr std::size_t kNone = std::string_view::npos;
  for (std::size_t at = text.find(pattern_); at != kNone; at = text.find(pattern_, at + pattern_.size())) {
    found(at, at + pattern_.size());
  }
}

std::vector<PatternSplit::Part> PatternSplit::find_parts(std::string_view text) const {
  std::vector<Part> parts;
  std::size_t last = 0;
  for_each_match(text, [&](std::size_t begin, std::size_t end) {
    if (last < begin) parts.push_back({last, begin, invert_});
    parts.push_back({begin, end, !invert_});
    last = end;
  });
  if (last < text.size()) parts.push_back({last, text.size(), invert_});
  return parts;
}

/// Joins each part with the one before it where the behavior says so.
void PatternSplit::merge(std::vector<Part>& parts) const {
  if (behavior_ == Behavior::Isolated || behavior_ == Behavior::Removed) return;
  // What merges with the next one is what merges with the previous one in a text read backwards.
  if (behavior_ == Behavior::MergedWithNext) std::reverse(parts.begin(), parts.end());
  std::vector<Part> merged;
  bool previous_match = false;
  for (const Part& part : parts) {
    const bool joins =
        behavior_ == Behavior::Contiguous ? part.is_match == previous_match : part.is_match && !previous_match;
    previous_match = part.is_match;
    if (joins && !merged.empty()) {
      merged.back().begin = std::min(merged.back().begin, part.begin);
      merged.back().end = std::max(merged.back().end, part.end);
    } else {
      merged.push_back(part);
    }
  }
  if (behavior_ == Behavior::MergedWithNext) std::reverse(merged.begin(), merged.end());
  parts = std::move(merged);
}

void PatternSplit::split(std::string_view text, std::vector<std::string_view>& pieces) const {
  std::vector<Part> parts = find_parts(text);
  merge(parts);
  for (const Part& part : parts) {
    const bool removed = part.is_match && behavior_ == Behavior::Removed;
    if (!removed && part.begin < part.end) pieces.push_back(text.substr(part.begin, part.end - part.begin));
  }
}

}  // namespace lathe
