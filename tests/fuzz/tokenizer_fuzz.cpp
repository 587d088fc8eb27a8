#include "model/io/tokenizer.h"

#include <optional>

#include "model/io/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace lathe;

constexpr std::string_view kText =
    "Hello, w\xC3\xB6rld!  It's 12345 \xE4\xBD\xA0\xE5\xA5\xBD\n\n <s>\xF0\x9F\x99\x82</s> \xFF";

std::string streamed(const Tokenizer& tokenizer, std::span<const std::int32_t> ids) {
  StreamDecoder decoder(tokenizer);
  std::string text;
  for (const std::int32_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

void use(const Tokenizer& tokenizer) {
  const std::vector<std::int32_t> ids = tokenizer.encode(kText);
  for (const std::int32_t id : ids) {
    require(id >= 0 && id < tokenizer.vocab_size(), "an id is one of the vocabulary");
  }
  const std::string text = tokenizer.decode(ids);
  require(valid_utf8_prefix(text) == text.size(), "decoded text is UTF-8");
  require(streamed(tokenizer, ids) == text, "ids that come one by one give the same text");
  require(Tokenizer::from_files(tokenizer.files(), "again").encode(kText) == ids, "the files give the same tokenizer");
}

}  // namespace

/// The input is tokenizer.json and, after a NUL, tokenizer_config.json.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = as_text(data, size);
  const std::size_t nul = input.find('\0');
  TokenizerFiles files{.tokenizer_json = std::string(input.substr(0, nul))};
  if (nul != std::string_view::npos) files.tokenizer_config_json = input.substr(nul + 1);
  std::optional<Tokenizer> tokenizer;
  if (!accepts([&] { tokenizer = Tokenizer::from_files(files, "fuzz"); })) return 0;
  accepts([&] { use(*tokenizer); });  // a pattern that backtracks without end is refused here
  return 0;
}
