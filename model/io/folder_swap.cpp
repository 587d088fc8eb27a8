#include "model/io/folder_swap.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "model/data/error.h"
#include "model/io/atomic_file.h"

namespace lathe {

namespace {

namespace fs = std::filesystem;

std::string working_prefix(const fs::path& target) { return "." + target.filename().string() + ".lathe-saving-"; }

/// Where the old folder waits on file systems that cannot exchange two names.
fs::path replaced_path(const fs::path& target) {
  return target.parent_path() / ("." + target.filename().string() + ".lathe-replaced");
}

void rename_folder(const fs::path& from, const fs::path& to) {
  check(::rename(from.c_str(), to.c_str()) == 0, "[save] cannot rename to ", to.string(), ": ", std::strerror(errno),
        "; folder: ", from.string());
}

int lock_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return -1;
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

}  // namespace

FolderSwap::FolderSwap(const fs::path& target) : target_(target) {
  static std::atomic<int> counter = 0;
  std::error_code failed;
  fs::create_directories(target.parent_path(), failed);
  check(!failed, "[save] cannot make the folder: ", failed.message(), "; folder: ", target.parent_path().string());
  working_ = target.parent_path() / text(working_prefix(target), ::getpid(), "-", counter++);
  check(fs::create_directory(working_, failed), "[save] cannot write here: ", failed.message(),
        "; folder: ", target.parent_path().string());
  lock_ = lock_folder(working_);
}

FolderSwap::~FolderSwap() {
  std::error_code ignored;  // the next save or open tries again
  fs::remove_all(working_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

void FolderSwap::publish() {
  sync_folder(working_);
  std::error_code unreadable;
  if (!fs::exists(target_, unreadable)) {
    rename_folder(working_, target_);
  } else if (::renameat2(AT_FDCWD, working_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
    check(errno == EINVAL || errno == ENOSYS, "[save] cannot replace the folder: ", std::strerror(errno),
          "; folder: ", target_.string());
    // No exchange here: for a moment the target is missing, and recover_folder knows how to go back.
    rename_folder(target_, replaced_path(target_));
    rename_folder(working_, target_);
    fs::remove_all(replaced_path(target_), unreadable);
  }
  sync_folder(target_.parent_path());
}

void recover_folder(const fs::path& target) {
  std::error_code ignored;  // a folder that cannot be read or written has nothing of ours to put right
  if (const fs::path replaced = replaced_path(target); fs::is_directory(replaced, ignored)) {
    if (fs::exists(target, ignored)) {
      fs::remove_all(replaced, ignored);
    } else {
      fs::rename(replaced, target, ignored);
    }
  }
  std::vector<fs::path> leftovers;
  const std::string prefix = working_prefix(target);
  for (const auto& entry : fs::directory_iterator(target.parent_path(), ignored)) {
    if (entry.path().filename().string().starts_with(prefix)) leftovers.push_back(entry.path());
  }
  for (const fs::path& leftover : leftovers) {
    const int lock = lock_folder(leftover);
    if (lock < 0) continue;  // a save that is still running
    fs::remove_all(leftover, ignored);
    ::close(lock);
  }
}

}  // namespace lathe
