#include "model/io/io_error.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace lathe {

namespace {

const char* hint_for(int reason) {
  switch (reason) {
    case ENOSPC:
    case EDQUOT:
      return "free some space or choose another folder";
    case EACCES:
    case EPERM:
      return "check the permissions or choose another folder";
    case EROFS:
      return "the disk is read-only: choose another folder";
    case EFBIG:
      return "raise the limit of a file's size (ulimit -f) or choose another disk";
    case EMFILE:
    case ENFILE:
      return "close other files or raise the limit (ulimit -n)";
    case EIO:
      return "check the disk, and choose another one until it is mended";
    default:
      return "check the path or choose another folder";
  }
}

}  // namespace

Error io_error(std::string what, int reason, const std::filesystem::path& where) {
  return Error({.code = ErrorCode::Io,
                .what = std::move(what),
                .where = where.string(),
                .got = std::strerror(reason),
                .hint = hint_for(reason)});
}

}  // namespace lathe
