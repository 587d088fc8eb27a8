#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/faults/save_kinds.h"
#include "tests/faults/system_calls.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

using testing::IsEmpty;

using Calls = std::vector<SystemCall>;

bool is_inside(const std::string& path, const std::string& folder) {
  return path == folder || path.starts_with(folder + "/");
}

/// What a power cut could lose, by the order of the calls: what is not synced may be lost, and names may become durable
/// before the data that they stand for.
std::vector<std::string> risks(const Calls& calls) {
  std::set<std::string> unsynced;  // files with bytes, and folders with names, that only memory holds
  std::vector<std::string> found;
  for (const SystemCall& call : calls) {
    if (call.name == "create" || call.name == "mkdir") unsynced.insert(fs::path(call.path).parent_path());
    if (call.name == "create" || call.name == "write" || call.name == "ftruncate" || call.name == "mkdir") {
      unsynced.insert(call.path);
    }
    if (call.name == "fsync") unsynced.erase(call.path);
    if (call.name != "rename") continue;
    for (const std::string& path : unsynced) {
      if (is_inside(path, call.path)) found.push_back(call.to + " gets its name before " + path + " is on the disk");
    }
    unsynced.insert(fs::path(call.path).parent_path());
    unsynced.insert(fs::path(call.to).parent_path());
  }
  for (const std::string& path : unsynced) {
    if (fs::exists(path)) found.push_back(path + " is not on the disk when the save is over");
  }
  return found;
}

/// The calls without the syncs of one file or folder.
Calls without_syncs_of(const std::string& path, const Calls& calls) {
  Calls rest;
  for (const SystemCall& call : calls) {
    if (call.name != "fsync" || call.path != path) rest.push_back(call);
  }
  return rest;
}

class PowerCut : public testing::TestWithParam<SaveKind> {
 protected:
  Calls calls_of_a_save() const {
    GetParam().save(place_, 1);
    GetParam().open(place_);
    const CallWatch watch;
    GetParam().save(place_, 2);
    return watch.calls();
  }

  const TemporaryFolder folder_;
  const fs::path place_ = folder_.path() / "place";
};

TEST_P(PowerCut, FindsEverythingSyncedBeforeItGetsItsName) {
  const Calls calls = calls_of_a_save();

  EXPECT_THAT(risks(calls), IsEmpty());
  std::set<std::string> synced;
  for (const SystemCall& call : calls) {
    if (call.name == "fsync") synced.insert(call.path);
  }
  EXPECT_GE(synced.size(), 2U);
  for (const std::string& path : synced) {
    EXPECT_FALSE(risks(without_syncs_of(path, calls)).empty()) << "nobody would miss the sync of " << path;
  }
}

INSTANTIATE_TEST_SUITE_P(Every, PowerCut, testing::ValuesIn(save_kinds()),
                         [](const auto& given) { return given.param.name; });

}  // namespace
}  // namespace lathe
