#include "model/io/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "model/data/error.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

std::size_t num_files(const TempFolder& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder.path()), {}));
}

TEST(AtomicFile, AppearsOnlyWhenItIsCommitted) {
  const TempFolder folder;
  const fs::path path = folder.path() / "a";
  AtomicFile file(path);

  file.write("one ");
  file.write("two");
  EXPECT_FALSE(fs::exists(path));
  file.commit();

  EXPECT_EQ(slurp(path), "one two");
  EXPECT_EQ(file.bytes_written(), 7);
  EXPECT_EQ(file.sha256(), "8ab63e29a4ba14e4e1688f9c15e5af90895421358c945b0431f85d66977bd3d2");
  EXPECT_EQ(num_files(folder), 1U);
}

TEST(AtomicFile, LeavesNothingIfItIsNotCommitted) {
  const TempFolder folder;
  folder.write("a", "old");
  {
    AtomicFile file(folder.path() / "a");
    file.write("new");
  }

  EXPECT_EQ(slurp(folder.path() / "a"), "old");
  EXPECT_EQ(num_files(folder), 1U);
}

TEST(AtomicFile, KeepsThePermissionsOfTheFileThatItReplaces) {
  const TempFolder folder;
  const fs::path path = folder.write("a", "old");
  ::chmod(path.c_str(), 0640);

  write_file(path, "new");

  struct stat facts {};
  ::stat(path.c_str(), &facts);
  EXPECT_EQ(facts.st_mode & 0777, 0640U);
  EXPECT_EQ(slurp(path), "new");
}

TEST(AtomicFile, HasTheSizeThatWasWrittenEvenIfMoreWasReserved) {
  const TempFolder folder;
  AtomicFile file(folder.path() / "a", 100'000);

  file.write("short");
  file.commit();

  EXPECT_EQ(slurp(folder.path() / "a"), "short");
}

TEST(AtomicFile, SaysThatTheDiskIsTooSmallBeforeItWrites) {
  const TempFolder folder;
  try {
    const AtomicFile file(folder.path() / "a", std::int64_t{1} << 60);
    FAIL() << "there was room for an exabyte";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("MiB free, expected"));
  }
  EXPECT_EQ(num_files(folder), 0U);
}

TEST(AtomicFile, AWriteThatFailsLeavesTheOldFile) {
  const TempFolder folder;
  const fs::path path = folder.write("a", "old");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  rlimit limit = old_limit;
  limit.rlim_cur = 1000;
  ::setrlimit(RLIMIT_FSIZE, &limit);

  EXPECT_THROW(write_file(path, std::string(5000, 'x')), Error);  // refused when the space is reserved
  EXPECT_THROW(
      {
        AtomicFile file(path);
        file.write(std::string(5000, 'x'));  // refused in the middle of the write
        file.commit();
      },
      Error);

  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  EXPECT_EQ(slurp(path), "old");
  EXPECT_EQ(num_files(folder), 1U);
}

TEST(AtomicFile, RemovesWhatAKilledWriterLeftButNotALiveOnesFile) {
  const TempFolder folder;
  folder.write(".a.tmp-99999999-0", "left behind");
  folder.write(".b.tmp-99999999-0", "of another file");
  AtomicFile live(folder.path() / "a");
  live.write("live");

  write_file(folder.path() / "a", "quick");
  live.commit();

  EXPECT_EQ(slurp(folder.path() / "a"), "live");
  EXPECT_FALSE(fs::exists(folder.path() / ".a.tmp-99999999-0"));
  EXPECT_TRUE(fs::exists(folder.path() / ".b.tmp-99999999-0"));
}

TEST(AtomicFile, RefusesAPlaceThatIsNotThere) {
  const TempFolder folder;

  EXPECT_THROW(write_file(folder.path() / "missing" / "a", "x"), Error);
  EXPECT_THROW(write_file(folder.path(), "x"), Error);
}

}  // namespace
}  // namespace lathe
