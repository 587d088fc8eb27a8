#include "model/io/model_folder.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "model/data/error.h"
#include "model/io/atomic_file.h"
#include "model/io/folder_swap.h"
#include "model/io/hash.h"
#include "model/io/io_error.h"
#include "model/io/json_file.h"

namespace lathe {

namespace {

namespace fs = std::filesystem;

constexpr const char* kManifest = "manifest.json";
constexpr int kManifestVersion = 1;

/// The folder's own absolute path, through links and without a trailing slash: what lies beside it is beside this.
fs::path named(const fs::path& folder) {
  std::error_code unreadable;
  fs::path real = fs::weakly_canonical(fs::absolute(folder), unreadable);  // relative, it stays so where nothing is yet
  if (unreadable) real = fs::absolute(folder).lexically_normal();
  return real.has_filename() ? real : real.parent_path();
}

Error bad_manifest(const fs::path& path, ErrorCode code, std::string what, std::string got, std::string expected) {
  return Error({.code = code,
                .what = std::move(what),
                .where = path.string(),
                .got = std::move(got),
                .expected = std::move(expected),
                .hint = "save the model again, or get the whole folder again"});
}

std::vector<WrittenFile> read_manifest(const fs::path& folder) {
  const fs::path path = folder / kManifest;
  const nlohmann::json json = read_json_file(path);
  try {
    if (json.at("version") != kManifestVersion) {
      throw bad_manifest(path, ErrorCode::Version, "this version of the manifest is not read",
                         json.at("version").dump(), text(kManifestVersion));
    }
    std::vector<WrittenFile> files;
    for (const auto& file : json.at("files")) files.push_back({file.at("name"), file.at("bytes"), file.at("sha256")});
    for (const WrittenFile& file : files) {
      if (fs::path(file.name).filename() == file.name) continue;
      throw bad_manifest(path, ErrorCode::Path, "the manifest names a file outside its folder", file.name,
                         "files of this folder");
    }
    return files;
  } catch (const nlohmann::json::exception& error) {
    throw bad_manifest(path, ErrorCode::Schema, "this is not a manifest", error.what(), "what a save writes");
  }
}

/// Refuses to save over `folder`.
[[noreturn]] void refuse(const fs::path& folder, std::string what, std::string got) {
  throw Error({.code = ErrorCode::Path,
               .what = std::move(what),
               .where = folder.string(),
               .got = std::move(got),
               .expected = "a new or empty folder, or one that Lathe saved",
               .hint = "choose a new folder"});
}

void check_replaceable(const fs::path& folder) {
  std::error_code failed;
  if (!fs::exists(folder, failed)) return;
  if (!fs::is_directory(folder, failed)) refuse(folder, "a file is in the way", "a file");
  std::set<std::string> strangers;
  for (const auto& entry : fs::directory_iterator(folder, failed)) strangers.insert(entry.path().filename().string());
  if (failed) throw io_error("cannot look into the folder", failed.value(), folder);
  if (strangers.empty()) return;
  if (!strangers.contains(kManifest)) {
    refuse(folder, "the folder is not empty and was not saved by Lathe", text("no ", kManifest));
  }
  strangers.erase(kManifest);
  for (const WrittenFile& file : read_manifest(folder)) strangers.erase(file.name);
  if (strangers.empty()) return;
  refuse(folder, "replacing the folder would delete files that Lathe did not save",
         *strangers.begin() + (strangers.size() > 1 ? text(" and ", strangers.size() - 1, " more") : ""));
}

void check_content(const ModelFolder& content) {
  const auto refuse_name = [](const char* what, const std::string& name, const char* expected) {
    throw Error({.code = ErrorCode::Name, .what = what, .got = text("\"", name, "\""), .expected = expected});
  };
  std::set<std::string> names{kManifest};
  for (const FolderFile& file : content.files) {
    const bool plain = !file.name.empty() && file.name != "." && file.name != ".." &&
                       file.name.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
    if (!plain) refuse_name("this cannot name a file of a model folder", file.name, "a plain name");
    if (!names.insert(file.name).second) refuse_name("two files have one name", file.name, "every name once");
  }
  if (!names.contains("config.json")) throw Error("a model folder needs a config.json");
  if (content.tensors.empty()) throw Error("a model folder needs tensors");
  std::set<std::string> tensors;
  for (const TensorSource& tensor : content.tensors) {
    if (!tensors.insert(tensor.name).second) refuse_name("two tensors have one name", tensor.name, "every name once");
  }
}

/// Runs of tensors, each at most `max_bytes` together unless a single one is larger.
std::vector<std::span<const TensorSource>> split_shards(std::span<const TensorSource> tensors, std::int64_t max_bytes) {
  std::vector<std::span<const TensorSource>> shards;
  std::size_t first = 0;
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::int64_t size = source_bytes(tensors[i]);
    if (i > first && bytes + size > max_bytes) {
      shards.push_back(tensors.subspan(first, i - first));
      first = i;
      bytes = 0;
    }
    bytes += size;
  }
  shards.push_back(tensors.subspan(first));
  return shards;
}

std::string shard_name(std::size_t index, std::size_t count) {
  if (count == 1) return "model.safetensors";
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return name;
}

std::int64_t total_bytes(std::span<const TensorSource> tensors) {
  std::int64_t total = 0;
  for (const TensorSource& tensor : tensors) total += source_bytes(tensor);
  return total;
}

/// The same sources, reporting progress over the whole model as each is asked for.
std::vector<TensorSource> with_progress(const std::vector<TensorSource>& tensors, const Job& job) {
  const std::int64_t total = total_bytes(tensors);
  auto done = std::make_shared<std::int64_t>(0);
  std::vector<TensorSource> reporting = tensors;
  for (TensorSource& tensor : reporting) {
    tensor.bytes = [bytes = tensor.bytes, size = source_bytes(tensor), done, total, &job] {
      job.progress("saving", "bytes", *done, total);
      *done += size;
      return bytes();
    };
  }
  return reporting;
}

WrittenFile write_small(const fs::path& folder, const FolderFile& file) {
  write_file(folder / file.name, file.content);
  return {file.name, static_cast<std::int64_t>(file.content.size()), sha256_hex(file.content)};
}

std::vector<WrittenFile> write_tensors(const fs::path& folder, const ModelFolder& content, const Job& job) {
  const std::vector<TensorSource> tensors = with_progress(content.tensors, job);
  const auto shards = split_shards(tensors, content.max_shard_bytes);
  std::vector<WrittenFile> written;
  nlohmann::json weight_map = nlohmann::json::object();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i, shards.size());
    written.push_back(write_safetensors(folder / name, shards[i]));
    SafetensorsFile{folder / name};  // reads back what was written; throws if it is not a valid file
    for (const TensorSource& tensor : shards[i]) weight_map[tensor.name] = name;
  }
  if (shards.size() == 1) return written;
  const nlohmann::json index = {{"metadata", {{"total_size", total_bytes(content.tensors)}}},
                                {"weight_map", weight_map}};
  written.push_back(write_small(folder, {"model.safetensors.index.json", index.dump(2) + "\n"}));
  return written;
}

std::string manifest_text(std::span<const WrittenFile> files) {
  nlohmann::json list = nlohmann::json::array();
  for (const WrittenFile& file : files) {
    list.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  return nlohmann::json{{"version", kManifestVersion}, {"files", list}}.dump(2) + "\n";
}

}  // namespace

std::vector<WrittenFile> save_model_folder(const fs::path& folder, const ModelFolder& content, const Job& job) {
  const fs::path target = named(folder);
  check_content(content);
  recover_folder(target);
  check_replaceable(target);
  FolderSwap swap(target);
  check_free_space(swap.working(), total_bytes(content.tensors));
  std::vector<WrittenFile> written;
  for (const FolderFile& file : content.files) {
    job.check();
    written.push_back(write_small(swap.working(), file));
  }
  const std::vector<WrittenFile> tensors = write_tensors(swap.working(), content, job);
  written.insert(written.end(), tensors.begin(), tensors.end());
  written.push_back(write_small(swap.working(), {kManifest, manifest_text(written)}));
  job.check();
  if (content.verify) content.verify(swap.working());
  swap.publish();
  return written;
}

void check_saveable(const fs::path& folder) {
  const fs::path target = named(folder);
  check_replaceable(target);
  check_writable(target);
}

void recover_model_folder(const fs::path& folder) { recover_folder(named(folder)); }

std::vector<ErrorParts> verify_model_folder(const fs::path& folder, const Job& job) {
  std::vector<ErrorParts> problems;
  for (const WrittenFile& file : read_manifest(folder)) {
    const fs::path path = folder / file.name;
    const auto report = [&](ErrorCode code, const char* what, std::string got, std::string expected) {
      problems.push_back(bad_manifest(path, code, what, std::move(got), std::move(expected)).parts());
    };
    std::error_code failed;
    const auto size = fs::file_size(path, failed);
    if (failed) {
      report(ErrorCode::Io, "a saved file is missing", failed.message(), text(file.bytes, " bytes"));
    } else if (static_cast<std::int64_t>(size) != file.bytes) {
      report(ErrorCode::Size, "a saved file has another size", text(size, " bytes"), text(file.bytes, " bytes"));
    } else if (const std::string hash = sha256_file(path, job); hash != file.sha256) {
      report(ErrorCode::Checksum, "a file differs from what was saved", "SHA-256 " + hash, file.sha256);
    }
  }
  return problems;
}

}  // namespace lathe
