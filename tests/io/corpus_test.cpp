#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

#include "model/data/config.h"
#include "model/io/checkpoint.h"
#include "model/io/dataset.h"
#include "model/io/tokenizer.h"
#include "tests/corpus/bad_file.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

class Corpus : public testing::TestWithParam<BadFile> {};
class TokenizerCorpus : public testing::TestWithParam<BadFile> {};
class DatasetCorpus : public testing::TestWithParam<BadFile> {};

/// Opens the file, reads its config and every byte that it promises.
void open_model(const std::filesystem::path& path) {
  const Checkpoint checkpoint = open_checkpoint(path);
  config_from_json(checkpoint.config_json());
  for (const auto& [name, entry] : checkpoint.tensors()) {
    std::vector<float> values(static_cast<std::size_t>(entry.num_values()));
    read_rows(entry, 0, entry.num_rows(), values);
  }
}

/// Opens the tokenizer and sends a text through it.
void open_tokenizer(const std::filesystem::path& path) {
  const Tokenizer tokenizer = load_tokenizer(path);
  tokenizer.decode(tokenizer.encode("ab Hello, wörld 123 <s>"));
}

/// What `open` answers with. Anything but an Error ends the test program.
std::optional<ErrorParts> refusal_of(void (*open)(const std::filesystem::path&), const std::filesystem::path& path) {
  try {
    open(path);
    return std::nullopt;
  } catch (const Error& error) {
    return error.parts();
  }
}

void expect_end_as_it_must(const BadFile& file, void (*open)(const std::filesystem::path&)) {
  const TempFolder folder;
  file.write(folder.path());

  const auto refusal = refusal_of(open, folder.path() / file.opened);

  if (!file.expected) {
    EXPECT_FALSE(refusal.has_value()) << to_text(*refusal);
    return;
  }
  ASSERT_TRUE(refusal.has_value()) << "it opened";
  const std::string message = to_text(*refusal);
  EXPECT_EQ(error_code_name(refusal->code), error_code_name(*file.expected)) << message;
  EXPECT_TRUE(refusal->where.find(folder.path().string()) != std::string::npos ||
              refusal->where.starts_with("config.json"))
      << message;
  for (const std::string* part : {&refusal->what, &refusal->got, &refusal->expected, &refusal->hint}) {
    EXPECT_FALSE(part->empty()) << message;
  }
  EXPECT_LT(message.size(), 2'000U);
}

TEST_P(Corpus, EndsAsItMust) { expect_end_as_it_must(GetParam(), open_model); }

TEST_P(TokenizerCorpus, EndsAsItMust) { expect_end_as_it_must(GetParam(), open_tokenizer); }

TEST_P(DatasetCorpus, EndsAsItMust) {
  expect_end_as_it_must(GetParam(), [](const std::filesystem::path& path) { read_dataset(path); });
}

std::string name_of(const testing::TestParamInfo<BadFile>& info) {
  std::string name = info.param.name;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Models, Corpus, testing::ValuesIn(model_corpus()), name_of);
INSTANTIATE_TEST_SUITE_P(Json, TokenizerCorpus, testing::ValuesIn(tokenizer_corpus()), name_of);
INSTANTIATE_TEST_SUITE_P(Sentencepiece, TokenizerCorpus, testing::ValuesIn(sentencepiece_corpus()), name_of);
INSTANTIATE_TEST_SUITE_P(Datasets, DatasetCorpus, testing::ValuesIn(dataset_corpus()), name_of);

}  // namespace
}  // namespace lathe
