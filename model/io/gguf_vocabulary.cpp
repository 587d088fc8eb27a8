#include "model/data/error.h"
#include "model/io/tokenizer_gguf.h"
#include "model/io/vocabulary.h"

namespace lathe {

GgufVocabulary gguf_vocabulary(const GgufFile& file) {
  const auto text_of = [&](const char* key) { return std::string(file.string(key).value_or("")); };
  const auto texts_of = [&](const char* key) {
    const auto* texts = file.strings(key);
    return texts == nullptr ? std::vector<std::string>() : std::vector<std::string>(texts->begin(), texts->end());
  };
  const auto id_of = [&](const char* key) {
    const auto id = file.integer(key);
    if (id && (*id < 0 || *id >= Vocabulary::kMaxTokens)) {
      throw Error({.code = ErrorCode::Tokenizer,
                   .what = "the id of a special token cannot be",
                   .where = text(key, " of ", file.path().string()),
                   .got = text(*id),
                   .expected = text("0 to ", Vocabulary::kMaxTokens - 1),
                   .hint = "convert the model again"});
    }
    return id ? std::optional(static_cast<std::int32_t>(*id)) : std::nullopt;
  };
  GgufVocabulary result{.model = text_of("tokenizer.ggml.model"),
                        .pre = text_of("tokenizer.ggml.pre"),
                        .tokens = texts_of("tokenizer.ggml.tokens"),
                        .merges = texts_of("tokenizer.ggml.merges"),
                        .bos_id = id_of("tokenizer.ggml.bos_token_id"),
                        .eos_id = id_of("tokenizer.ggml.eos_token_id"),
                        .unknown_id = id_of("tokenizer.ggml.unknown_token_id"),
                        .padding_id = id_of("tokenizer.ggml.padding_token_id"),
                        .add_bos = file.boolean("tokenizer.ggml.add_bos_token"),
                        .add_eos = file.boolean("tokenizer.ggml.add_eos_token"),
                        .add_space_prefix = file.boolean("tokenizer.ggml.add_space_prefix"),
                        .remove_extra_whitespaces = file.boolean("tokenizer.ggml.remove_extra_whitespaces"),
                        .chat_template = text_of("tokenizer.chat_template")};
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (const auto id = id_of(key)) result.more_eos_ids.push_back(*id);
  }
  for (const std::int64_t type : file.integers("tokenizer.ggml.token_type").value_or(std::vector<std::int64_t>())) {
    result.types.push_back(static_cast<std::int32_t>(type));
  }
  if (const auto* scores = file.numbers("tokenizer.ggml.scores")) {
    for (const double score : *scores) result.scores.push_back(static_cast<float>(score));
  }
  return result;
}

}  // namespace lathe
