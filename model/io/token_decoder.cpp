#include "model/io/token_decoder.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/data/json_object.h"
#include "model/io/byte_level.h"
#include "model/io/utf8.h"

namespace lathe {

namespace {

constexpr std::string_view kReplacement = "\uFFFD";

/// Where a character starts that `bytes` end in the middle of; their size if they end with a whole one.
std::size_t unfinished_from(std::string_view bytes) {
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    // More than one U+FFFD would mean that it is broken already (ED A0).
    const std::string_view start = bytes.substr(bytes.size() - back);
    const bool can_finish = length > back && repair_utf8(start).text == kReplacement;
    return can_finish ? bytes.size() - back : bytes.size();
  }
  return bytes.size();
}

/// Valid characters as they are, every other byte as U+FFFD.
std::string with_bad_bytes_replaced(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const std::size_t valid = valid_utf8_prefix(bytes);
    text += bytes.substr(0, valid);
    bytes.remove_prefix(valid);
    if (bytes.empty()) break;
    text += kReplacement;
    bytes.remove_prefix(1);
  }
  return text;
}

std::string without_metaspaces(std::string_view text) {
  std::string result;
  for (std::size_t at = text.find(kMetaspace); at != std::string_view::npos; at = text.find(kMetaspace)) {
    result.append(text.substr(0, at));
    text.remove_prefix(at + kMetaspace.size());
  }
  return result.append(text);
}

[[noreturn]] void refuse(const std::string& got, const std::string& where) {
  throw Error({.code = ErrorCode::Tokenizer,
               .what = "the tokenizer's decoder is not supported",
               .where = where,
               .got = got,
               .expected = "ByteLevel, Metaspace, or a Sequence of Replace \"▁\" by a space, ByteFallback, Fuse, Strip",
               .hint = "a model of the Llama family has one of these"});
}

void read_step(JsonObject step, DecoderRules& rules, bool& fused) {
  const std::string type = step.string("type");
  if (type == "Replace" && !fused) {
    const bool is_known = step.object("pattern").string("String", "") == kMetaspace && step.string("content") == " ";
    if (!is_known) refuse("Replace of something else", step.where());
    rules.spelling = std::max(rules.spelling, Spelling::Text);
  } else if (type == "ByteFallback" && !fused) {
    rules.spelling = Spelling::TextWithBytes;
  } else if (type == "Fuse") {
    fused = true;
  } else if (type == "Strip" && fused && step.string("content") == " " && step.integer("stop", 0) == 0) {
    const std::int64_t count = step.integer("start", 0);
    if (count < 0 || count > 1000) refuse(text("Strip of ", count, " characters"), step.where());
    rules.spaces_to_strip += static_cast<int>(count);
  } else {
    refuse(text("\"", type, "\" at this place"), step.where());
  }
}

}  // namespace

DecoderRules DecoderRules::from_json(const nlohmann::json& json, const std::string& where) {
  if (json.is_null()) refuse("none", where);
  JsonObject object(json, where);
  const std::string type = object.string("type");
  if (type == "ByteLevel") return {};
  DecoderRules rules;
  if (type == "Metaspace") {
    if (object.string("replacement", std::string(kMetaspace)) != kMetaspace) refuse("another metaspace", where);
    const bool never =
        object.string("prepend_scheme", "always") == "never" || !object.boolean("add_prefix_space", true);
    rules.spelling = Spelling::Text;
    rules.strips_first_token = !never;
    return rules;
  }
  if (type != "Sequence") refuse(text("\"", type, "\""), where);
  bool fused = false;
  for (JsonObject& step : object.objects("decoders")) {
    if (step.string("type") == "ByteLevel" && rules.spelling == Spelling::Bytes) continue;
    read_step(step, rules, fused);
  }
  return rules;
}

void TokenDecoder::push(const Vocabulary& vocabulary, const DecoderRules& rules, std::int32_t id, std::string& text) {
  if (!vocabulary.contains(id)) return;
  if (rules.spelling == Spelling::Bytes || vocabulary.is_single_byte(id)) {
    pending_ += vocabulary.bytes(id);
    if (rules.spelling == Spelling::Bytes) return add_whole_characters(text);
    is_first_token_ = false;
    if (rules.replaces_each_bad_byte) {
      const std::size_t whole = unfinished_from(pending_);
      add(rules, with_bad_bytes_replaced(std::string_view(pending_).substr(0, whole)), text);
      pending_.erase(0, whole);
    }
    return;
  }
  end_byte_run(rules, text);
  if (id == rules.unknown_id) return add(rules, rules.unknown_text, text);
  std::string_view spelling = vocabulary.spelling(id);
  if (is_first_token_ && rules.strips_first_token) {
    is_first_token_ = false;
    return add(rules, without_metaspaces(spelling), text);
  }
  is_first_token_ = false;
  const bool is_start = rules.strips_pieces && !piece_lost_space_ && !has_text_;
  const bool loses_space = is_start && spelling.starts_with(kMetaspace);
  piece_lost_space_ |= loses_space && !rules.strips_every_first_piece;
  add(rules, vocabulary.bytes(id).substr(loses_space ? 1 : 0), text);
}

void TokenDecoder::finish(const DecoderRules& rules, std::string& text) {
  if (rules.spelling == Spelling::Bytes) {
    text += repair_utf8(pending_).text;
  } else {
    end_byte_run(rules, text);
  }
  *this = TokenDecoder();
}

void TokenDecoder::add(const DecoderRules& rules, std::string_view part, std::string& text) {
  while (!has_text_ && stripped_ < rules.spaces_to_strip && part.starts_with(' ')) {
    part.remove_prefix(1);
    ++stripped_;
  }
  has_text_ |= !part.empty();
  text += part;
}

void TokenDecoder::add_whole_characters(std::string& text) {
  const std::size_t whole = unfinished_from(pending_);
  text += repair_utf8(std::string_view(pending_).substr(0, whole)).text;
  pending_.erase(0, whole);
}

void TokenDecoder::end_byte_run(const DecoderRules& rules, std::string& text) {
  if (pending_.empty()) return;
  if (rules.replaces_each_bad_byte || is_utf8(pending_)) {
    add(rules, with_bad_bytes_replaced(pending_), text);
  } else {
    for (std::size_t i = 0; i < pending_.size(); ++i) add(rules, kReplacement, text);
  }
  pending_.clear();
}

}  // namespace lathe
