#include <optional>

#include "model/io/tokenizer.h"
#include "model/io/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace lathe;

constexpr std::string_view kText =
    "Hello, w\xC3\xB6rld!  It's 12345 \xE4\xBD\xA0\xE5\xA5\xBD\n\n <s>\xF0\x9F\x99\x82</s>\xE2\x96\x81\xE2\x96\x81 "
    "\xFF";

std::string streamed(const Tokenizer& tokenizer, std::span<const std::int32_t> ids) {
  StreamDecoder decoder(tokenizer);
  std::string text;
  for (const std::int32_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

}  // namespace

/// The input is a tokenizer.model: sentencepiece's message, or tiktoken's lines.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const TokenizerFiles files{.tokenizer_model = std::string(as_text(data, size))};
  std::optional<Tokenizer> tokenizer;
  if (!accepts([&] { tokenizer = Tokenizer::from_files(files, "fuzz"); })) return 0;
  const std::vector<std::int32_t> ids = tokenizer->encode(kText);
  for (const std::int32_t id : ids) {
    require(id >= 0 && id < tokenizer->vocab_size(), "an id is one of the vocabulary");
  }
  const std::string text = tokenizer->decode(ids);
  require(is_utf8(text), "decoded text is UTF-8");
  require(streamed(*tokenizer, ids) == text, "ids that come one by one give the same text");
  return 0;
}
