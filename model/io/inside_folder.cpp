#include "model/io/inside_folder.h"

#include "model/data/error.h"

namespace lathe {

namespace fs = std::filesystem;

namespace {

bool is_plain_name(const std::string& name) {
  constexpr std::size_t kLongestName = 255;  // of Linux
  return !name.empty() && name != "." && name != ".." && name.size() <= kLongestName &&
         name.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
}

bool holds(const fs::path& folder, const fs::path& file) {
  const fs::path relative = file.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

/// The blobs that belong to a snapshot of the Hugging Face cache, or an empty path.
fs::path blobs_of(const fs::path& snapshot) {
  const fs::path snapshots = snapshot.parent_path();
  return snapshots.filename() == "snapshots" ? snapshots.parent_path() / "blobs" : fs::path();
}

}  // namespace

fs::path inside_folder(const fs::path& folder, const std::string& name) {
  const auto refuse = [&](ErrorCode code, const char* what, std::string got) {
    throw Error({.code = code,
                 .what = what,
                 .where = folder.string(),
                 .got = std::move(got),
                 .expected = "a file of the model's own folder",
                 .hint = "put the file itself into the folder, or open the place where it lies"});
  };
  constexpr std::size_t kLongestShown = 100;
  if (!is_plain_name(name)) {
    refuse(ErrorCode::Path, "a name leads out of the folder",
           text("\"", name.substr(0, std::min(kLongestShown, name.find('\0'))), "\""));
  }
  const fs::path file = folder / name;
  std::error_code failed;
  if (!fs::is_symlink(fs::symlink_status(file, failed))) return file;
  const fs::path target = fs::canonical(file, failed);
  if (failed) refuse(ErrorCode::Io, "a link leads nowhere", text("the link ", name, ": ", failed.message()));
  const fs::path home = fs::canonical(folder, failed);
  if (holds(home, target)) return file;
  if (const fs::path blobs = blobs_of(home); !blobs.empty() && holds(blobs, target)) return file;
  refuse(ErrorCode::Path, "a link leads out of the folder", text(name, " -> ", target.string()));
  return file;
}

}  // namespace lathe
