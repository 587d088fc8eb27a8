#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <set>

#include "tests/faults/names_in.h"
#include "tests/faults/save_kinds.h"
#include "tests/faults/system_calls.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

using testing::IsEmpty;

constexpr int kKills = 250;

int after(int version) { return version % 100 + 1; }

/// Kills a process that saves version after version at one system call after the other: files change in no other
/// moments, so that the first `kKills` of them stand for every moment of the first saves.
class KilledSaves {
 public:
  explicit KilledSaves(SaveKind kind) : kind_(std::move(kind)) {
    void* shared = ::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    acknowledged_ = static_cast<int*>(shared);
  }
  ~KilledSaves() { ::munmap(acknowledged_, sizeof(int)); }
  KilledSaves(const KilledSaves&) = delete;
  KilledSaves& operator=(const KilledSaves&) = delete;

  /// A line for each kill after which something was wrong.
  std::vector<std::string> run() {
    save(1);
    kind_.open(place_);
    names_ = names_in(folder_.path());
    for (int call = 1; call <= kKills; ++call) {
      const std::string wrong = kill_at(call);
      if (!wrong.empty()) wrong_.push_back("killed at call " + std::to_string(call) + ": " + wrong);
    }
    return wrong_;
  }

  int most_saves() const { return most_saves_; }

 private:
  void save(int version) {
    const CallWatch without_syncs;
    kind_.save(place_, version);
    *acknowledged_ = version;
  }

  std::string kill_at(int call) {
    save(1);
    const pid_t child = ::fork();
    if (child == 0) save_until_killed(call);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) return "it could not save";
    most_saves_ = std::max(most_saves_, *acknowledged_ - 1);
    return judge();
  }

  [[noreturn]] void save_until_killed(int call) {
    const CallWatch watch({.kind = Fault::Kind::Kill, .at_call = call});
    try {
      for (int version = 2;; version = after(version)) {
        kind_.save(place_, version);
        *acknowledged_ = version;
      }
    } catch (...) {
    }
    ::_exit(1);
  }

  std::string judge() {
    int version = 0;
    try {
      version = kind_.open(place_);
    } catch (const std::exception& error) {
      return error.what();
    }
    if (version != *acknowledged_ && version != after(*acknowledged_)) return "an acknowledged save is lost";
    if (!kind_.cleans_when_opened) save(version);
    return names_in(folder_.path()) == names_ ? "" : "leftovers";
  }

  SaveKind kind_;
  const TemporaryFolder folder_;
  const fs::path place_ = folder_.path() / "place";
  std::set<std::string> names_;
  std::vector<std::string> wrong_;
  int* acknowledged_ = nullptr;
  int most_saves_ = 0;
};

class EverySave : public testing::TestWithParam<SaveKind> {};

TEST_P(EverySave, IsTheOldOrTheNewAfterAKillAndLeavesNothing) {
  KilledSaves saves(GetParam());

  EXPECT_THAT(saves.run(), IsEmpty());
  EXPECT_GE(saves.most_saves(), 1) << "no save was ever finished: more kills are needed";
}

INSTANTIATE_TEST_SUITE_P(Killed, EverySave, testing::ValuesIn(save_kinds()),
                         [](const auto& given) { return given.param.name; });

class NaiveSave : public testing::TestWithParam<SaveKind> {};

TEST_P(NaiveSave, IsCaught) {
  KilledSaves saves(GetParam());

  EXPECT_GT(saves.run().size(), static_cast<std::size_t>(kKills / 10));
}

INSTANTIATE_TEST_SUITE_P(Killed, NaiveSave, testing::ValuesIn(naive_kinds()),
                         [](const auto& given) { return given.param.name; });

}  // namespace
}  // namespace lathe
