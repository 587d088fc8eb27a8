#pragma once

#include <filesystem>
#include <vector>

namespace lathe {

/// The folders that had to be made on the way to a path. They go again, as far as they are empty, unless kept.
class MadeFolders {
 public:
  MadeFolders() = default;
  ~MadeFolders();
  MadeFolders(const MadeFolders&) = delete;
  MadeFolders& operator=(const MadeFolders&) = delete;

  /// Makes `folder` and those above it that are missing. Throws Error.
  void make(const std::filesystem::path& folder);

  /// Makes their names durable and leaves them. Throws Error.
  void keep();

 private:
  std::vector<std::filesystem::path> made_;  ///< the uppermost first
};

/// A hidden folder beside `target` to write in. publish() puts it in the target's place; whatever lies at the hidden
/// path when this object ends, unfinished work or the replaced folder, is removed.
class FolderSwap {
 public:
  /// Creates the hidden folder and locks it, so that recover_folder leaves it alone while this process lives.
  explicit FolderSwap(const std::filesystem::path& target);
  ~FolderSwap();
  FolderSwap(const FolderSwap&) = delete;
  FolderSwap& operator=(const FolderSwap&) = delete;

  const std::filesystem::path& working() const { return working_; }

  /// Makes the hidden folder the target, in one step where the file system can exchange two names. Throws Error.
  void publish();

 private:
  MadeFolders parents_;
  std::filesystem::path target_;
  std::filesystem::path working_;
  int lock_ = -1;
};

/// What publish() does where the file system cannot exchange two names: the old folder is moved aside, and back again
/// if `replacement` cannot take its place. Between the two renames the target is missing; recover_folder knows how to
/// go back. The old folder is removed once the new name is durable. Throws Error.
void replace_in_two_steps(const std::filesystem::path& target, const std::filesystem::path& replacement);

/// Removes what killed saves left beside `target`, and puts the replaced folder back if the new one never came.
void recover_folder(const std::filesystem::path& target);

}  // namespace lathe
