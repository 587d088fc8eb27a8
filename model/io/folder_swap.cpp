#include "model/io/folder_swap.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "model/data/error.h"
#include "model/io/atomic_file.h"
#include "model/io/io_error.h"

namespace lathe {

namespace {

namespace fs = std::filesystem;

std::string working_prefix(const fs::path& target) { return "." + target.filename().string() + ".lathe-saving-"; }

/// Where the old folder waits on file systems that cannot exchange two names.
fs::path replaced_path(const fs::path& target) {
  return target.parent_path() / ("." + target.filename().string() + ".lathe-replaced");
}

void rename_folder(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw io_error("cannot rename " + from.string(), errno, to);
}

int lock_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return -1;
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

}  // namespace

MadeFolders::~MadeFolders() {
  std::error_code in_use;  // something else was put there meanwhile: then it and those above it stay
  while (!made_.empty() && fs::remove(made_.back(), in_use)) made_.pop_back();
}

void MadeFolders::make(const fs::path& folder) {
  std::vector<fs::path> missing;
  std::error_code failed;
  for (fs::path at = folder; !at.empty() && !fs::exists(at, failed) && !failed; at = at.parent_path()) {
    missing.push_back(at);
  }
  while (!failed && !missing.empty()) {
    if (fs::create_directory(missing.back(), failed)) made_.push_back(missing.back());
    missing.pop_back();
  }
  if (failed) throw io_error("cannot make the folder", failed.value(), folder);
}

void MadeFolders::keep() {
  for (const fs::path& folder : made_) sync_folder(folder.parent_path());
  made_.clear();
}

FolderSwap::FolderSwap(const fs::path& target) : target_(target) {
  static std::atomic<int> counter = 0;
  std::error_code failed;
  parents_.make(target.parent_path());
  working_ = target.parent_path() / text(working_prefix(target), ::getpid(), "-", counter++);
  if (!fs::create_directory(working_, failed)) {
    throw io_error("cannot make a folder to save in", failed ? failed.value() : EEXIST, working_);
  }
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
    if (errno != EINVAL && errno != ENOSYS) throw io_error("cannot replace the folder", errno, target_);
    replace_in_two_steps(target_, working_);
  }
  sync_folder(target_.parent_path());
  parents_.keep();
}

void replace_in_two_steps(const fs::path& target, const fs::path& replacement) {
  const fs::path replaced = replaced_path(target);
  rename_folder(target, replaced);
  try {
    rename_folder(replacement, target);
  } catch (const Error&) {
    rename_folder(replaced, target);
    throw;
  }
  sync_folder(target.parent_path());
  std::error_code ignored;  // recover_folder removes it at the next save or open
  fs::remove_all(replaced, ignored);
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
