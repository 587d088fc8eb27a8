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

std::vector<WrittenFile> read_manifest(const fs::path& folder) {
  const fs::path path = folder / kManifest;
  const nlohmann::json json = read_json_file(path);
  try {
    check(json.at("version") == kManifestVersion, "[open] manifest version ", json.at("version").dump(), ", expected ",
          kManifestVersion, "; file: ", path.string());
    std::vector<WrittenFile> files;
    for (const auto& file : json.at("files")) files.push_back({file.at("name"), file.at("bytes"), file.at("sha256")});
    for (const WrittenFile& file : files) {
      check(fs::path(file.name).filename() == file.name, "[open] the manifest names \"", file.name,
            "\", which is not a file of this folder; file: ", path.string());
    }
    return files;
  } catch (const nlohmann::json::exception& error) {
    throw Error(text("[open] not a manifest: ", error.what(), "; file: ", path.string()));
  }
}

void check_replaceable(const fs::path& folder) {
  std::error_code failed;
  if (!fs::exists(folder, failed)) return;
  check(fs::is_directory(folder, failed), "[save] a file is in the way; path: ", folder.string());
  std::set<std::string> strangers;
  for (const auto& entry : fs::directory_iterator(folder, failed)) strangers.insert(entry.path().filename().string());
  check(!failed, "[save] cannot look into the folder: ", failed.message(), "; folder: ", folder.string());
  if (strangers.empty()) return;
  check(strangers.contains(kManifest),
        "[save] the folder is not empty and was not saved by Lathe; choose a new one; folder: ", folder.string());
  strangers.erase(kManifest);
  for (const WrittenFile& file : read_manifest(folder)) strangers.erase(file.name);
  check(strangers.empty(), "[save] replacing the folder would delete ", strangers.empty() ? "" : *strangers.begin(),
        strangers.size() > 1 ? text(" and ", strangers.size() - 1, " more") : "",
        ", which Lathe did not save; move it or choose a new folder; folder: ", folder.string());
}

void check_content(const ModelFolder& content) {
  std::set<std::string> names{kManifest};
  for (const FolderFile& file : content.files) {
    const bool plain = !file.name.empty() && file.name != "." && file.name != ".." &&
                       file.name.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
    check(plain, "[save] \"", file.name, "\" cannot name a file of a model folder");
    check(names.insert(file.name).second, "[save] two files are named \"", file.name, "\"");
  }
  check(names.contains("config.json"), "[save] a model folder needs a config.json");
  check(!content.tensors.empty(), "[save] a model folder needs tensors");
  std::set<std::string> tensors;
  for (const TensorSource& tensor : content.tensors) {
    check(tensors.insert(tensor.name).second, "[save] two tensors are named \"", tensor.name, "\"");
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

std::vector<std::string> verify_model_folder(const fs::path& folder, const Job& job) {
  std::vector<std::string> problems;
  for (const WrittenFile& file : read_manifest(folder)) {
    const fs::path path = folder / file.name;
    std::error_code failed;
    const auto size = fs::file_size(path, failed);
    if (failed) {
      problems.push_back(text(file.name, " is missing"));
    } else if (static_cast<std::int64_t>(size) != file.bytes) {
      problems.push_back(text(file.name, " has ", size, " bytes, expected ", file.bytes));
    } else if (sha256_file(path, job) != file.sha256) {
      problems.push_back(text(file.name, " differs from what was saved"));
    }
  }
  return problems;
}

}  // namespace lathe
