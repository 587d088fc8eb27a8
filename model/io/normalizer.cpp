#include "model/io/normalizer.h"

#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/data/json_object.h"
#include "model/io/unicode_nfc.h"
#include "model/io/vocabulary.h"

namespace lathe {

Normalizer::Normalizer(const nlohmann::json& json, const std::string& where) {
  if (!json.is_null()) add(json, where);
}

void Normalizer::add(const nlohmann::json& json, const std::string& where) {
  JsonObject object(json, where);
  const std::string type = object.string("type");
  if (type == "Sequence") {
    object.objects("normalizers");
    for (const nlohmann::json& step : json.at("normalizers")) add(step, where);
  } else if (type == "NFC") {
    steps_.emplace_back(Nfc{});
  } else if (type == "Prepend") {
    steps_.emplace_back(Prepend{object.string("prepend")});
  } else if (type == "Replace" && object.object("pattern").has("String")) {
    Replace step{.pattern = object.object("pattern").string("String"), .content = object.string("content")};
    if (step.pattern.empty()) {
      throw Error({.code = ErrorCode::Tokenizer,
                   .what = "the normalizer replaces an empty string",
                   .where = where,
                   .got = "\"\"",
                   .expected = "a text",
                   .hint = kSaveTokenizerAgain});
    }
    steps_.emplace_back(std::move(step));
  } else {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = "the tokenizer's normalizer is not supported",
                 .where = where,
                 .got = text("\"", type, "\"", type == "Replace" ? " of a regular expression" : ""),
                 .expected = "Sequence, NFC, Prepend, or Replace of a literal",
                 .hint = "a model of the Llama family has one of these"});
  }
}

std::string Normalizer::operator()(std::string_view text) const {
  std::string result(text);
  for (const Step& step : steps_) {
    result = std::visit([&](const auto& known) { return run(known, result); }, step);
  }
  return result;
}

std::string Normalizer::run(const Nfc&, std::string_view text) { return to_nfc(text); }

std::string Normalizer::run(const Prepend& step, std::string_view text) {
  return text.empty() ? std::string() : std::string(step.text).append(text);
}

std::string Normalizer::run(const Replace& step, std::string_view text) {
  std::string result;
  for (std::size_t at = text.find(step.pattern); at != std::string_view::npos; at = text.find(step.pattern)) {
    result.append(text.substr(0, at)).append(step.content);
    text.remove_prefix(at + step.pattern.size());
  }
  return result.append(text);
}

}  // namespace lathe
