#include "model/io/folder_swap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/data/error.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

TEST(FolderSwap, MakesTheFoldersOnItsWayAndKeepsThem) {
  const TempFolder temp;
  {
    FolderSwap swap(temp.path() / "a/b/model");
    fs::create_directory(swap.working() / "inside");
    swap.publish();
  }

  EXPECT_THAT(names_in(temp.path() / "a/b"), ElementsAre("model"));
  EXPECT_THAT(names_in(temp.path() / "a/b/model"), ElementsAre("inside"));
}

TEST(FolderSwap, TakesTheFoldersThatItMadeAlongIfNothingIsPublished) {
  const TempFolder temp;
  fs::create_directory(temp.path() / "a");

  { const FolderSwap swap(temp.path() / "a/b/c/model"); }

  EXPECT_THAT(names_in(temp.path()), ElementsAre("a"));
  EXPECT_THAT(names_in(temp.path() / "a"), IsEmpty());
}

TEST(FolderSwap, LeavesAFolderThatItMadeToOthersWhoUseIt) {
  const TempFolder temp;
  {
    const FolderSwap swap(temp.path() / "a/b/model");
    temp.write("a/notes.txt", "mine");
  }

  EXPECT_THAT(names_in(temp.path() / "a"), ElementsAre("notes.txt"));
}

TEST(FolderSwap, SaysWhereNoFolderCanBeMade) {
  const TempFolder temp;
  temp.write("file", "x");

  try {
    const FolderSwap swap(temp.path() / "file/b/model");
    FAIL() << "a folder was made in a file";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot make the folder"));
  }
}

class TwoSteps : public testing::Test {
 protected:
  TwoSteps() { temp_.write("model/old", "x"); }

  const TempFolder temp_;
  const fs::path target_ = temp_.path() / "model";
};

TEST_F(TwoSteps, ReplaceAFolderAndLeaveNothingElse) {
  temp_.write("replacement/new", "x");

  replace_in_two_steps(target_, temp_.path() / "replacement");

  EXPECT_THAT(names_in(target_), ElementsAre("new"));
  EXPECT_THAT(names_in(temp_.path()), ElementsAre("model"));
}

TEST_F(TwoSteps, PutTheOldFolderBackIfTheSecondFails) {
  EXPECT_THROW(replace_in_two_steps(target_, temp_.path() / "missing"), Error);

  EXPECT_THAT(names_in(target_), ElementsAre("old"));
  EXPECT_THAT(names_in(temp_.path()), ElementsAre("model"));
}

}  // namespace
}  // namespace lathe
