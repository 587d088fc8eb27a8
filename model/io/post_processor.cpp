#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/data/json_object.h"
#include "model/io/tokenizer_parts.h"

namespace lathe {

namespace {

using nlohmann::json;

std::vector<std::int32_t> ids_of_special(JsonObject& processor, const std::string& name, const Vocabulary& vocabulary) {
  std::vector<std::int32_t> result;
  for (const std::int64_t id : processor.object("special_tokens").object(name).integers("ids")) {
    if (!vocabulary.contains(id)) {
      throw Error({.code = ErrorCode::Tokenizer,
                   .what = text("the post-processor adds a token that the vocabulary lacks: \"", name, "\""),
                   .where = processor.where(),
                   .got = text("id ", id),
                   .expected = text("an id below ", vocabulary.end_id()),
                   .hint = kSaveTokenizerAgain});
    }
    result.push_back(static_cast<std::int32_t>(id));
  }
  return result;
}

SpecialFrame read_template(JsonObject processor, const Vocabulary& vocabulary) {
  SpecialFrame frame;
  int sequences = 0;
  for (JsonObject& item : processor.objects("single")) {
    if (item.has("Sequence")) {
      ++sequences;
    } else {
      const std::string name = item.object("SpecialToken").string("id");
      std::vector<std::int32_t>& side = sequences == 0 ? frame.before : frame.after;
      const std::vector<std::int32_t> ids = ids_of_special(processor, name, vocabulary);
      side.insert(side.end(), ids.begin(), ids.end());
    }
  }
  if (sequences != 1) {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = "the post-processor's template does not hold the text once",
                 .where = processor.where(),
                 .got = text(sequences, " times"),
                 .expected = "once",
                 .hint = kSaveTokenizerAgain});
  }
  return frame;
}

}  // namespace

SpecialFrame read_post_processor(const json& processor, const Vocabulary& vocabulary, const std::string& where) {
  if (processor.is_null()) return {};
  JsonObject object(processor, where);
  const std::string type = object.string("type");
  if (type == "ByteLevel") return {};  // changes offsets, not ids
  if (type == "TemplateProcessing") return read_template(object, vocabulary);
  if (type != "Sequence") {
    throw Error({.code = ErrorCode::Tokenizer,
                 .what = "the tokenizer's post-processor is not supported",
                 .where = where,
                 .got = text("\"", type, "\""),
                 .expected = "ByteLevel, TemplateProcessing or a Sequence of them",
                 .hint = "a model of the Llama family has one of these"});
  }
  SpecialFrame frame;
  object.objects("processors");
  for (const json& part : processor["processors"]) {
    const SpecialFrame outer = read_post_processor(part, vocabulary, where);
    frame.before.insert(frame.before.begin(), outer.before.begin(), outer.before.end());
    frame.after.insert(frame.after.end(), outer.after.begin(), outer.after.end());
  }
  return frame;
}

}  // namespace lathe
