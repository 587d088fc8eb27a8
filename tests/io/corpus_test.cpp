#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

#include "model/data/config.h"
#include "model/io/checkpoint.h"
#include "tests/corpus/bad_file.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

class Corpus : public testing::TestWithParam<BadFile> {};

/// Opens the file, reads its config and every byte that it promises. Anything but an Error ends the test program.
std::optional<ErrorParts> refusal_of(const std::filesystem::path& path) {
  try {
    const Checkpoint checkpoint = open_checkpoint(path);
    config_from_json(checkpoint.config_json());
    for (const auto& [name, entry] : checkpoint.tensors()) {
      std::vector<float> values(static_cast<std::size_t>(entry.num_values()));
      read_rows(entry, 0, entry.num_rows(), values);
    }
    return std::nullopt;
  } catch (const Error& error) {
    return error.parts();
  }
}

TEST_P(Corpus, EndsAsItMust) {
  const TempFolder folder;
  GetParam().write(folder.path());
  const auto path = folder.path() / GetParam().opened;

  const auto refusal = refusal_of(path);

  if (!GetParam().expected) {
    EXPECT_FALSE(refusal.has_value()) << to_text(*refusal);
    return;
  }
  ASSERT_TRUE(refusal.has_value()) << "it opened";
  const std::string message = to_text(*refusal);
  EXPECT_EQ(error_code_name(refusal->code), error_code_name(*GetParam().expected)) << message;
  EXPECT_TRUE(refusal->where.find(folder.path().string()) != std::string::npos ||
              refusal->where.starts_with("config.json"))
      << message;
  for (const std::string* part : {&refusal->what, &refusal->got, &refusal->expected, &refusal->hint}) {
    EXPECT_FALSE(part->empty()) << message;
  }
  EXPECT_LT(message.size(), 2'000U);
}

std::string name_of(const testing::TestParamInfo<BadFile>& info) {
  std::string name = info.param.name;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Models, Corpus, testing::ValuesIn(model_corpus()), name_of);

}  // namespace
}  // namespace lathe
