#include <gtest/gtest.h>

#include "model/io/sentencepiece_model.h"
#include "tests/io/reference_python.h"
#include "tests/io/tokenizer_goldens.h"

namespace lathe {
namespace {

Tokenizer open(const std::filesystem::path& path) {
  const bool is_json = path.extension() == ".json";
  TokenizerFiles files;
  (is_json ? files.tokenizer_json : files.tokenizer_model) = slurp(path);
  return Tokenizer::from_files(files, path.string());
}

std::string streamed(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  StreamDecoder decoder(tokenizer);
  std::string text;
  for (const std::int32_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

/// Compares ids, decoded texts and texts decoded one id at a time. Returns the number of texts.
int expect_equal_to_expected(const std::filesystem::path& path) {
  const Tokenizer tokenizer = open(path);
  const std::vector<std::string> texts = lines_of(slurp(path.string() + ".texts"));
  const std::vector<std::string> expected = lines_of(slurp(path.string() + ".expected"));
  EXPECT_EQ(texts.size(), expected.size());
  int differences = 0;
  for (std::size_t i = 0; i < texts.size() && differences < 5; ++i) {
    const std::vector<std::int32_t> ids = tokenizer.encode(from_hex(texts[i]));
    const std::string decoded = tokenizer.decode(ids);
    const std::string ours = joined(ids) + "|" + to_hex(decoded);
    if (ours != expected[i]) ++differences;
    EXPECT_EQ(ours, expected[i]) << path.filename() << ", text " << i << ", in hex " << texts[i];
    EXPECT_EQ(streamed(tokenizer, ids), decoded) << path.filename() << ", text " << i;
  }
  return static_cast<int>(texts.size());
}

TEST(TokenizerFamilies, EqualTheirReferencesOnGeneratedTexts) {
  LATHE_NEEDS_PYTHON("tokenizers sentencepiece regex");
  const TempFolder folder;

  const PythonResult result = run_reference("'" + folder.path().string() + "' 4000 20261126", "tokenizer_families.py");

  ASSERT_TRUE(result.ok) << result.output;
  int texts = 0;
  for (const std::string& name : lines_of(result.output)) texts += expect_equal_to_expected(folder.path() / name);
  EXPECT_GE(texts, 100'000);
}

TEST(TokenizerFamilies, ThatWereReadFromSentencepieceWriteATokenizerJsonThatMeansTheSame) {
  LATHE_NEEDS_PYTHON("tokenizers sentencepiece regex");
  const TempFolder folder;
  const PythonResult result = run_reference("'" + folder.path().string() + "' 500 7", "tokenizer_families.py");
  ASSERT_TRUE(result.ok) << result.output;

  for (const char* name : {"llama.model", "without_bytes.model", "no_dummy_prefix.model", "tiktoken.model"}) {
    const Tokenizer tokenizer = open(folder.path() / name);
    const Tokenizer again = Tokenizer::from_files({.tokenizer_json = tokenizer.files().tokenizer_json}, name);
    for (const std::string& text : lines_of(slurp(folder.path() / (std::string(name) + ".texts")))) {
      EXPECT_EQ(again.encode(from_hex(text)), tokenizer.encode(from_hex(text))) << name << ", in hex " << text;
    }
  }
}

/// What a GGUF file holds of a tokenizer.model.
GgufVocabulary as_gguf(const std::filesystem::path& path) {
  GgufVocabulary vocabulary{.model = "llama"};
  for (const SentencePiece& piece : read_sentencepiece_model(slurp(path), path.string()).pieces) {
    vocabulary.tokens.push_back(piece.text);
    vocabulary.scores.push_back(piece.score);
    vocabulary.types.push_back(static_cast<std::int32_t>(piece.kind));
  }
  vocabulary.bos_id = 1;
  vocabulary.eos_id = 2;
  return vocabulary;
}

TEST(TokenizerFamilies, OfGgufGiveTheIdsOfTheSentencepieceModelThatTheyCameFrom) {
  LATHE_NEEDS_PYTHON("tokenizers sentencepiece regex");
  const TempFolder folder;
  const PythonResult result = run_reference("'" + folder.path().string() + "' 500 11", "tokenizer_families.py");
  ASSERT_TRUE(result.ok) << result.output;

  for (const char* name : {"llama.model", "without_bytes.model", "across_words.model"}) {
    const Tokenizer tokenizer = Tokenizer::from_gguf(as_gguf(folder.path() / name), name);
    const std::vector<std::string> texts = lines_of(slurp(folder.path() / (std::string(name) + ".texts")));
    const std::vector<std::string> expected = lines_of(slurp(folder.path() / (std::string(name) + ".expected")));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::vector<std::int32_t> ids = tokenizer.encode(from_hex(texts[i]));
      EXPECT_EQ(joined(ids) + "|" + to_hex(tokenizer.decode(ids)), expected[i]) << name << ", in hex " << texts[i];
    }
  }
}

}  // namespace
}  // namespace lathe
