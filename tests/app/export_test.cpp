// Models that leave as GGUF: what the file then holds, and what stays when that fails.
#include "app/jobs/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "app/jobs/export_gguf.h"
#include "app/jobs/open.h"
#include "model/io/checkpoint.h"
#include "model/io/json_file.h"
#include "model/nn/compare.h"
#include "model/nn/names.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

OpenedModel open(const std::string& path) {
  return open_model({.path = path, .device = "cpu", .dtype = "f32"}, Job());
}

Exported exported(const OpenedModel& model, const std::string& form, const std::string& path) {
  return export_opened_model(model, {.form = form, .path = path, .dtype = "auto"}, Job());
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

TEST(ExportedGguf, InF32OpensAsTheSameModelAndTokenizer) {
  const TemporaryFolder folder;
  const OpenedModel model = open("tiny");
  const Exported done = exported(model, "gguf-f32", folder / "a.gguf");
  const OpenedModel again = open(done.path);
  const ModelDifference difference = compare_models(model.model(), again.model());
  EXPECT_TRUE(difference.differing.empty()) << difference.differing.front().name;
  EXPECT_EQ(difference.logits, 0.0);
  EXPECT_GT(difference.logit_size, 0.1);
  const std::string text = "In the beginning, 12 kings — and \U0001F600 <s>";
  EXPECT_EQ(again.tokenizer.encode(text), model.tokenizer.encode(text));
  EXPECT_EQ(done.tensors, std::ssize(model_tensors(model.model())));
}

TEST(ExportedGguf, InSmallerTypesGivesNearlyTheSameLogits) {
  const TemporaryFolder folder;
  const OpenedModel model = open("tiny");
  // The weights of this model are bf16 numbers. A value lies within half a step of 127 and of 8 in Q8_0 and Q4_0.
  const std::vector<std::pair<std::string, double>> forms{
      {"gguf-bf16", 0.0}, {"gguf-f16", 1e-3}, {"gguf-q8_0", 0.04}, {"gguf-q4_0", 0.6}};
  double last = -1.0;
  for (const auto& [form, share] : forms) {
    const Exported done = exported(model, form, folder / form);
    const ModelDifference difference = compare_models(model.model(), open(done.path).model());
    EXPECT_LE(difference.logits, share * difference.logit_size) << form;
    EXPECT_GT(difference.logits, last) << form << " keeps more than the form before it";
    EXPECT_EQ(done.logit_difference, difference.logits) << form;
    last = difference.logits;
  }
}

TEST(ExportedGguf, IsNamedAfterTheModelInAFolderAndEndsInGguf) {
  const TemporaryFolder folder;
  const OpenedModel model = open("tiny");
  EXPECT_EQ(exported(model, "gguf-q8_0", folder.path()).path, folder / "tiny-q8_0.gguf");
  EXPECT_EQ(exported(model, "gguf-f16", folder / "other").path, folder / "other.gguf");
  EXPECT_EQ(names_in(folder.path()), (std::vector<std::string>{"other.gguf", "tiny-q8_0.gguf"}));
}

TEST(ExportedGguf, TwiceGivesEqualBytes) {
  const TemporaryFolder folder;
  const OpenedModel model = open("tiny");
  for (const char* form : {"gguf-f32", "gguf-q4_0"}) {
    const Exported first = exported(model, form, folder / "a.gguf");
    const Exported second = exported(model, form, folder / "b.gguf");
    EXPECT_EQ(first.files.at(0).sha256, second.files.at(0).sha256);
    EXPECT_EQ(read_file(folder / "a.gguf"), read_file(folder / "b.gguf"));
  }
}

TEST(ExportedGguf, ThatIsCancelledLeavesWhatWasThere) {
  const TemporaryFolder folder;
  const OpenedModel model = open("tiny");
  std::ofstream(folder / "a.gguf") << "the old one";
  std::stop_source stop;
  const Job job(stop.get_token(), [&stop](const Progress& progress) {
    if (progress.done > 3) stop.request_stop();
  });
  EXPECT_THROW(export_opened_model(model, {.form = "gguf-f32", .path = folder / "a.gguf", .dtype = "auto"}, job),
               Cancelled);
  EXPECT_EQ(read_file(folder / "a.gguf"), "the old one");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"a.gguf"});
}

TEST(ExportedGguf, OfNoKnownFormIsRefused) {
  const TemporaryFolder folder;
  try {
    exported(open("tiny"), "gguf-q5_k", folder / "a.gguf");
    FAIL() << "q5_k is not written";
  } catch (const Error& error) {
    EXPECT_EQ(error.parts().code, ErrorCode::Export) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("gguf-q5_k"));
  }
  EXPECT_TRUE(names_in(folder.path()).empty());
}

}  // namespace
}  // namespace lathe
