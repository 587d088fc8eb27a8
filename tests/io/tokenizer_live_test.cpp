#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <random>

#include "tests/io/reference_python.h"
#include "tests/io/tokenizer_goldens.h"
#include "tests/support/places.h"

namespace lathe {
namespace {

/// Texts of all kinds from one seed, glued from fragments that pre-tokenizers treat differently.
class TextGenerator {
 public:
  std::string next() {
    std::string text;
    for (int count = below(12); count >= 0; --count) text += fragment();
    return text;
  }

 private:
  int below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }

  template <std::size_t N>
  std::string pick(const std::array<const char*, N>& choices) {
    return choices[static_cast<std::size_t>(below(N))];
  }

  std::string character(int first, int last) {
    auto code = static_cast<char32_t>(first + below(last - first));
    if (code >= 0xD800 && code <= 0xDFFF) code = U'\uFFFD';
    std::string text;
    const auto put = [&text](char32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
    if (code < 0x80) return {static_cast<char>(code)};
    if (code >= 0x10000) put(0xF0 | code >> 18);
    if (code >= 0x800) put(code >= 0x10000 ? 0x80 | (code >> 12 & 0x3F) : 0xE0 | code >> 12);
    put(code >= 0x800 ? 0x80 | (code >> 6 & 0x3F) : 0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
    return text;
  }

  std::string fragment() {
    static constexpr std::array<const char*, 18> kSpaces{" ",    "  ",  "   ",    "\n",     "\r\n",   "\t",
                                                         "\n\n", " \n", "\u00a0", "\u3000", "\u2009", "\v",
                                                         "\f",   "\r",  "\u0085", "\u2028", "\u180e", "\u200b"};
    static constexpr std::array<const char*, 14> kWords{"the",        " of",  " Attention", "latent", "MoE",
                                                        " tokenizer", "İ",    "straße",     " naïve", "日本",
                                                        "你好",       " мир", "Σ",          "한국"};
    static constexpr std::array<const char*, 14> kEndings{"'s", "'S",      "'ll", "'LL", "'Ve", "'d", "'m",
                                                          "'t", "'\u017f", "'re", "'",   "''",  "'x", "'É"};
    static constexpr std::array<const char*, 16> kSpecial{
        "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|im_end", "<|begin_of_text|>",
        "<|eot_id|>",    "<mask>",       "tag",        " tag ",    "<r>",
        "<A>x",          "<A>",          "<e\u0301>",  "<\u00e9>", "\u212b",
        "\u00c5"};
    static constexpr std::array<const char*, 8> kEmoji{
        "👋", "👩‍👩‍👧", "🇫🇷", "❤️", "1️⃣", "\u200d", "\ufe0f", "🏽"};
    switch (below(16)) {
      case 0:
        return pick(kSpaces);
      case 1:
        return pick(kSpaces) + pick(kSpaces) + pick(kSpaces);
      case 2:
        return pick(kWords) + pick(kEndings);
      case 3:
        return pick(kSpecial);
      case 4:
        return pick(kEmoji);
      case 5:
        return std::to_string(random_() % 1000000007);
      case 6:
        return character('a', 'z') + character(0x300, 0x370);
      case 7:
        return character(0x4E00, 0x9FA6);
      case 8:
        return character(0xAC00, 0xD7A4) + character(0x1100, 0x1200);
      case 9:
        return character(0, 0x110000);
      case 10:
        return character(0xA0, 0x2100);
      case 11:
        return character('!', '0') + character(':', 'A') + character('[', 'a');
      case 12:
        return std::string(1, static_cast<char>(below(256)));
      case 13:
        return character(0, 0x3000);
      case 14:
        return character('A', 'Z') + character('a', 'z') + character('a', 'z');
      default:
        return " " + pick(kWords);
    }
  }

  std::mt19937 random_{20240815};
};

/// Compares ids and decoded texts with the reference's on the file that it reads itself.
void expect_equal_to_reference(const Tokenizer& tokenizer, const std::string& reference, int num_texts) {
  TextGenerator generator;
  std::vector<std::string> texts;
  std::string input;
  for (int i = 0; i < num_texts; ++i) {
    texts.push_back(generator.next());
    input += to_hex(texts.back()) + "\n";
  }
  const TempFolder folder;
  const std::string in = folder.write("texts.hex", input).string(), out = folder.path() / "out";

  const PythonResult result =
      run_reference("encode '" + reference + "' '" + in + "' '" + out + "'", "tokenizer_reference.py");

  ASSERT_TRUE(result.ok) << result.output;
  const std::vector<std::string> lines = lines_of(slurp(out));
  ASSERT_EQ(lines.size(), texts.size());
  int differences = 0;
  for (std::size_t i = 0; i < texts.size() && differences < 10; ++i) {
    const std::vector<std::int32_t> ids = tokenizer.encode(texts[i]);
    const std::string ours = joined(ids) + "|" + to_hex(tokenizer.decode(ids)) + "|" +
                             to_hex(tokenizer.decode(ids, {.skip_special_tokens = false}));
    if (ours != lines[i]) ++differences;
    EXPECT_EQ(ours, lines[i]) << "text " << i << ", in hex " << to_hex(texts[i]);
  }
}

TEST(TokenizerLive, SmolLm2EqualsTheReferenceOnGeneratedTexts) {
  LATHE_NEEDS_PYTHON("gguf tokenizers");
  LATHE_NEEDS_DEFAULT_MODEL();
  expect_equal_to_reference(load_tokenizer(*default_model()), *default_model(), 20'000);
}

TEST(TokenizerLive, Llama3StyleEqualsTheReferenceOnGeneratedTexts) {
  LATHE_NEEDS_PYTHON("gguf tokenizers");
  expect_equal_to_reference(small_tokenizer("llama3_style"), golden_path("llama3_style.json"), 20'000);
}

TEST(TokenizerLive, Gpt2StyleEqualsTheReferenceOnGeneratedTexts) {
  LATHE_NEEDS_PYTHON("gguf tokenizers");
  expect_equal_to_reference(small_tokenizer("gpt2_style"), golden_path("gpt2_style.json"), 20'000);
}

TEST(TokenizerLive, MixedStyleEqualsTheReferenceOnGeneratedTexts) {
  LATHE_NEEDS_PYTHON("gguf tokenizers");
  expect_equal_to_reference(small_tokenizer("mixed_style"), golden_path("mixed_style.json"), 20'000);
}

TEST(TokenizerLive, TheTinyModelEqualsTheReferenceOnGeneratedTexts) {
  LATHE_NEEDS_PYTHON("gguf tokenizers");
  const std::filesystem::path tiny = std::filesystem::path(LATHE_SOURCE_DIR) / "assets/tiny";
  expect_equal_to_reference(load_tokenizer(tiny), tiny / "tokenizer.json", 2'000);
}

TEST(TokenizerLive, EveryNamedPreTokenizerOfGgufMeansTheSameToTheReference) {
  LATHE_NEEDS_PYTHON("gguf tokenizers");
  for (const char* pre :
       {"smollm", "gpt-2", "llama-bpe", "qwen2", "deepseek-llm", "deepseek-coder", "deepseek-v3", "glm4", "default"}) {
    SCOPED_TRACE(pre);
    const Tokenizer tokenizer = Tokenizer::from_gguf(vocabulary_of("llama3_style", pre), "model.gguf");
    const TempFolder folder;

    const auto file = folder.write("tokenizer.json", tokenizer.files().tokenizer_json);

    expect_equal_to_reference(tokenizer, file, 2'000);
  }
}

TEST(TokenizerLive, FilesWrittenForAGgufModelMeanTheSameToTheReference) {
  LATHE_NEEDS_PYTHON("gguf tokenizers");
  LATHE_NEEDS_DEFAULT_MODEL();
  const Tokenizer tokenizer = load_tokenizer(*default_model());
  const TempFolder folder;

  const auto file = folder.write("tokenizer.json", tokenizer.files().tokenizer_json);

  expect_equal_to_reference(tokenizer, file, 2'000);
}

}  // namespace
}  // namespace lathe
