#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>

#include "model/data/error.h"
#include "model/io/model_folder.h"
#include "tests/faults/save_kinds.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

std::string slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void spill(const fs::path& path, const std::string& bytes) {
  fs::remove(path);  // ext4 syncs a file that is cut to nothing and written again: a new one is faster
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Every file below `folder` and its bytes.
std::map<std::string, std::string> all_bytes(const fs::path& folder) {
  std::map<std::string, std::string> bytes;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes[fs::relative(entry.path(), folder)] = slurp(entry.path());
  }
  return bytes;
}

TEST(BitRot, IsFoundAtEveryByteOfASavedFolder) {
  const TemporaryFolder temp;
  const fs::path folder = temp.path() / "model";
  save_kinds().front().save(folder, 1);
  int flips = 0;
  for (const auto& [name, bytes] : all_bytes(folder)) {
    for (std::size_t at = 0; at < bytes.size(); ++at, ++flips) {
      std::string rotten = bytes;
      rotten[at] = static_cast<char>(rotten[at] ^ (1 << (at % 8)));
      spill(folder / name, rotten);
      try {
        const std::vector<ErrorParts> problems = verify_model_folder(folder);
        ASSERT_EQ(problems.size(), 1U) << "byte " << at << " of " << name;
        if (name != "manifest.json") {
          EXPECT_EQ(problems.front().code, ErrorCode::Checksum);
          EXPECT_EQ(problems.front().where, (folder / name).string());
        }
      } catch (const Error&) {
        ASSERT_EQ(name, "manifest.json") << "byte " << at;
      }
    }
    spill(folder / name, bytes);
  }
  EXPECT_GT(flips, 2000);
  EXPECT_THAT(verify_model_folder(folder), testing::IsEmpty());
}

class SavedTwice : public testing::TestWithParam<SaveKind> {};

TEST_P(SavedTwice, HasTheSameBytes) {
  const TemporaryFolder first, second;
  GetParam().save(first.path() / "place", 7);
  GetParam().save(second.path() / "place", 6);
  EXPECT_NE(all_bytes(first.path()), all_bytes(second.path()));

  GetParam().save(second.path() / "place", 7);

  EXPECT_EQ(all_bytes(first.path()), all_bytes(second.path()));
}

INSTANTIATE_TEST_SUITE_P(Every, SavedTwice, testing::ValuesIn(save_kinds()),
                         [](const auto& given) { return given.param.name; });

}  // namespace
}  // namespace lathe
