#include "model/io/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "model/io/io_error.h"

namespace lathe {

namespace {

namespace fs = std::filesystem;

std::string temporary_prefix(const fs::path& path) { return "." + path.filename().string() + ".tmp-"; }

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

fs::path temporary_path(const fs::path& path) {
  static std::atomic<int> counter = 0;
  return folder_of(path) / text(temporary_prefix(path), ::getpid(), "-", counter++, path.extension().string());
}

void check_place(const fs::path& path) {
  std::error_code unreadable;
  const fs::path folder = folder_of(path);
  if (!fs::exists(folder, unreadable)) {
    throw io_error("there is no folder to save in", unreadable ? unreadable.value() : ENOENT, path);
  }
  if (!fs::is_directory(folder, unreadable)) throw io_error("there is no folder to save in", ENOTDIR, path);
  if (fs::is_directory(path, unreadable)) throw io_error("a folder is where the file should be", EISDIR, path);
}

}  // namespace

void remove_leftovers(const fs::path& path) {
  const std::string prefix = temporary_prefix(path);
  std::error_code ignored;  // what cannot be cleaned up now does no harm
  for (const auto& entry : fs::directory_iterator(folder_of(path), ignored)) {
    if (!entry.path().filename().string().starts_with(prefix)) continue;
    const int descriptor = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) continue;
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) ::unlink(entry.path().c_str());
    ::close(descriptor);
  }
}

AtomicFile::AtomicFile(const fs::path& path, std::int64_t expected_bytes)
    : path_(path), temporary_(temporary_path(path)) {
  check_place(path);
  remove_leftovers(path);
  check_free_space(folder_of(path), expected_bytes);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0) throw io_error("cannot write here", errno, path);
  ::flock(descriptor_, LOCK_EX | LOCK_NB);
  // Reserved, so that a full disk shows now. File systems that cannot reserve show it at the write instead.
  const int reserved = expected_bytes > 0 && ::fallocate(descriptor_, 0, 0, expected_bytes) != 0 ? errno : 0;
  if (reserved == ENOSPC || reserved == EFBIG || reserved == EDQUOT) {
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
    throw io_error(text("there is no room for ", expected_bytes, " bytes"), reserved, path);
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  // Hashed and written in pieces that stay in the cache between the two.
  constexpr std::size_t kChunk = std::size_t{1} << 20;
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), std::min(kChunk, bytes.size()));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0)
      throw io_error("cannot write the file, what was there before is intact", written < 0 ? errno : ENOSPC, path_);
    hash_.update(bytes.first(static_cast<std::size_t>(written)));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    bytes_written_ += written;
  }
}

void AtomicFile::write(std::string_view content) { write(std::as_bytes(std::span(content))); }

void AtomicFile::commit(const std::function<void(const fs::path&)>& verify) {
  const auto require = [this](int result, const char* step) {
    if (result != 0) throw io_error(text("cannot ", step, ", what was there before is intact"), errno, path_);
  };
  struct stat old {};
  if (::stat(path_.c_str(), &old) == 0) require(::fchmod(descriptor_, old.st_mode & 07777), "keep the permissions");
  require(::ftruncate(descriptor_, bytes_written_), "set the size");  // if more was reserved than written
  // A failed sync may have dropped the data: it is never tried again on the same file.
  require(::fsync(descriptor_), "sync the file");
  if (verify) verify(temporary_);
  // Renamed before it is closed: the lock must hold until the name is final.
  require(::rename(temporary_.c_str(), path_.c_str()), "put the file in its place");
  if (::close(std::exchange(descriptor_, -1)) != 0) throw io_error("cannot close the file", errno, path_);
  sync_folder(folder_of(path_));
}

void write_file(const fs::path& path, std::string_view content) {
  AtomicFile file(path, static_cast<std::int64_t>(content.size()));
  file.write(content);
  file.commit();
}

void check_writable(const fs::path& path) {
  std::error_code unreadable;
  fs::path folder = folder_of(fs::absolute(path));
  while (!fs::exists(folder, unreadable) && folder.has_relative_path()) folder = folder.parent_path();
  if (!fs::is_directory(folder, unreadable)) throw io_error(text(folder.string(), " is not a folder"), ENOTDIR, path);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) throw io_error("cannot write in " + folder.string(), errno, path);
}

void check_free_space(const fs::path& folder, std::int64_t bytes) {
  constexpr std::int64_t kSpare = std::int64_t{64} << 20;
  struct statvfs facts {};
  // Small files are not worth a question that the write itself answers.
  if (bytes < kSpare || ::statvfs(folder.c_str(), &facts) != 0) return;
  const auto free = static_cast<std::int64_t>(facts.f_bavail * facts.f_frsize);
  if (free >= kSpare && free - kSpare >= bytes) return;
  throw Error({.code = ErrorCode::Io,
               .what = "the disk has not enough room",
               .where = folder.string(),
               .got = text(free >> 20, " MiB free"),
               .expected = text(bytes >> 20, " MiB and 64 to spare"),
               .hint = "free some space or choose another folder"});
}

void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw io_error("cannot open the folder to sync it", errno, folder);
  const int reason = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  // Some file systems cannot sync folders and say EINVAL; they keep names in order themselves.
  if (reason != 0 && reason != EINVAL) throw io_error("cannot sync the folder", reason, folder);
}

}  // namespace lathe
