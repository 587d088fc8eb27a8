#include "model/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "model/data/error.h"
#include "model/io/mapping_guard.h"

namespace lathe {

namespace {

/// A descriptor that closes itself.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

/// Throws what errno says.
[[noreturn]] void refuse(const std::filesystem::path& path, const char* what) {
  const int reason = errno;
  throw Error({.code = ErrorCode::Io,
               .what = what,
               .where = path.string(),
               .got = std::strerror(reason),
               .expected = "a file that can be read",
               .hint = reason == EACCES   ? "check its permissions"
                       : reason == EMFILE ? "close other files or raise the limit (ulimit -n)"
                                          : "check the path and the disk"});
}

const char* kind_name(mode_t mode) {
  return S_ISDIR(mode)    ? "a folder"
         : S_ISFIFO(mode) ? "a pipe"
         : S_ISSOCK(mode) ? "a socket"
         : S_ISCHR(mode)  ? "a character device"
         : S_ISBLK(mode)  ? "a block device"
                          : "something else";
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  // Not blocking: opening a pipe must fail below, not wait for a writer.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.value < 0) refuse(path, "cannot open the file");
  struct stat facts {};
  if (::fstat(file.value, &facts) != 0) refuse(path, "cannot look at the file");
  if (!S_ISREG(facts.st_mode)) {
    throw Error({.code = ErrorCode::NotRegular,
                 .what = "this is not a file",
                 .where = path.string(),
                 .got = kind_name(facts.st_mode),
                 .expected = "a regular file",
                 .hint = "choose a file, or the model's folder"});
  }
  if (facts.st_size == 0) return;
  const auto size = static_cast<std::size_t>(facts.st_size);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (address == MAP_FAILED) refuse(path, "cannot map the file");
  ::madvise(address, size, MADV_SEQUENTIAL);  // only a hint: without it reads are slower, not wrong
  bytes_ = {static_cast<const std::byte*>(address), size};
  watch_mapping(bytes_, path_, facts);
}

MappedFile::~MappedFile() {
  if (bytes_.empty()) return;
  forget_mapping(bytes_);
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace lathe
