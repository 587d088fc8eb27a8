#pragma once

#include <filesystem>

namespace lathe {

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
  std::filesystem::path target_;
  std::filesystem::path working_;
  int lock_ = -1;
};

/// Removes what killed saves left beside `target`, and puts the replaced folder back if the new one never came.
void recover_folder(const std::filesystem::path& target);

}  // namespace lathe
