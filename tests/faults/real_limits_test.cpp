#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <functional>

#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/io/model_folder.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

/// Runs `body` in a process of its own, which it may change as it likes, and returns what it returns.
std::string in_child(const std::function<std::string()>& body) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string said;
    try {
      said = body();
    } catch (const std::exception& error) {
      said = error.what();
    }
    ::_exit(::write(pipe[1], said.data(), said.size()) < 0 ? 1 : 0);
  }
  ::close(pipe[1]);
  std::string said;
  std::array<char, 4096> part{};
  for (ssize_t size = 0; (size = ::read(pipe[0], part.data(), part.size())) > 0;) {
    said.append(part.data(), static_cast<std::size_t>(size));
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? said : "a signal ended it";
}

/// A model of one tensor, and `when_asked` to happen in the middle of its save.
ModelFolder model(
    std::size_t bytes, const std::function<void()>& when_asked = [] {}) {
  ModelFolder content;
  content.files = {{"config.json", R"({"model_type":"llama"})"}};
  content.tensors.push_back(
      {"t", DType::U8, {static_cast<std::int64_t>(bytes)}, [data = std::string(bytes, 'x'), when_asked] {
         when_asked();
         return std::as_bytes(std::span(data));
       }});
  return content;
}

/// Saves `content` over a small model: what the refusal says, then whether the old one is still there and alone.
std::string refusal_of(const fs::path& folder, const ModelFolder& content) {
  try {
    save_model_folder(folder, content);
    return "it was saved";
  } catch (const Error& error) {
    std::string said = error.what();
    if (open_checkpoint(folder).at("t").num_bytes() != 10) said += " AND THE OLD MODEL IS LOST";
    const auto entries = fs::directory_iterator(folder.parent_path());
    if (std::distance(begin(entries), end(entries)) != 1) said += " AND THERE ARE LEFTOVERS";
    return said;
  }
}

class RealLimits : public testing::Test {
 protected:
  RealLimits() { ::chmod(folder_.path().c_str(), 0777); }

  const TemporaryFolder folder_;
  const fs::path place_ = folder_.path() / "model";
};

/// Permissions do not bind root.
void become_nobody() {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) throw Error("cannot become another user");
}

TEST_F(RealLimits, AReadOnlyFolder) {
  EXPECT_THAT(
      in_child([this]() -> std::string {
        become_nobody();
        fs::create_directory(place_);
        save_model_folder(place_ / "model", model(10));
        ::chmod(place_.c_str(), 0555);
        const std::string said = refusal_of(place_ / "model", model(20));
        ::chmod(place_.c_str(), 0755);
        return said;
      }),
      AllOf(StartsWith("cannot make a folder to save in: got Permission denied; check the permissions or choose "
                       "another folder; " +
                       (place_ / ".model.lathe-saving-").string()),
            EndsWith("(E_IO)")));
}

TEST_F(RealLimits, APermissionThatIsLostInTheMiddle) {
  EXPECT_EQ(in_child([this]() -> std::string {
              become_nobody();
              fs::create_directory(place_);
              save_model_folder(place_ / "model", model(10));
              const auto lose = [this] { ::chmod(place_.c_str(), 0555); };
              try {
                save_model_folder(place_ / "model", model(20, lose));
                return "it was saved";
              } catch (const Error& error) {
                ::chmod(place_.c_str(), 0755);
                if (open_checkpoint(place_ / "model").at("t").num_bytes() != 10) return "the old model is lost";
                if (std::distance(fs::directory_iterator(place_), {}) != 1) return "leftovers";
                return error.parts().what + ": " + error.parts().got;
              }
            }),
            "cannot replace the folder: Permission denied");
}

TEST_F(RealLimits, NoMoreOpenFiles) {
  EXPECT_THAT(in_child([this]() -> std::string {
                save_model_folder(place_, model(10));
                rlimit limit{};
                ::getrlimit(RLIMIT_NOFILE, &limit);
                const rlimit few{3, limit.rlim_max};
                const auto run_out = [few] { ::setrlimit(RLIMIT_NOFILE, &few); };
                std::string said;
                try {
                  run_out();
                  save_model_folder(place_, model(20));
                } catch (const Error& error) {
                  said = error.what();
                }
                ::setrlimit(RLIMIT_NOFILE, &limit);
                return open_checkpoint(place_).at("t").num_bytes() == 10 ? said : "the old model is lost";
              }),
              HasSubstr("Too many open files; close other files or raise the limit (ulimit -n)"));
}

TEST_F(RealLimits, ALimitOfAFilesSize) {
  EXPECT_THAT(in_child([this]() -> std::string {
                std::signal(SIGXFSZ, SIG_IGN);
                save_model_folder(place_, model(10));
                const rlimit limit{5000, 5000};
                ::setrlimit(RLIMIT_FSIZE, &limit);
                return refusal_of(place_, model(20'000));
              }),
              HasSubstr("File too large; raise the limit"));
}

/// A disk of its own, of 64 KiB, that goes with the process.
bool mount_small_disk(const fs::path& folder) {
  const std::string uid = std::to_string(::geteuid());
  if (::unshare(uid == "0" ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  if (uid != "0") std::ofstream("/proc/self/uid_map") << "0 " + uid + " 1";
  ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return ::mount("lathe-test", folder.c_str(), "tmpfs", 0, "size=64k") == 0;
}

TEST_F(RealLimits, AFullDisk) {
  const std::string said = in_child([this]() -> std::string {
    if (!mount_small_disk(folder_.path())) return "no disk";
    save_model_folder(place_, model(10));
    int refused = 0;
    for (std::size_t bytes = 4000; bytes < 84'000; bytes += 4000) {
      const std::string refusal = refusal_of(place_, model(bytes));
      if (refusal == "it was saved") {
        save_model_folder(place_, model(10));
        continue;
      }
      ++refused;
      if (!refusal.ends_with("(E_IO)") ||
          refusal.find("No space left on device; free some space") == std::string::npos) {
        return refusal;
      }
    }
    return std::to_string(refused) + " refused";
  });
  if (said == "no disk") GTEST_SKIP() << "this system lets tests mount nothing";
  EXPECT_THAT(said, testing::MatchesRegex("[1-9][0-9]? refused"));
}

}  // namespace
}  // namespace lathe
