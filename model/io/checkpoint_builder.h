#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "model/data/job.h"
#include "model/io/checkpoint.h"

namespace lathe {

/// Puts together a checkpoint in Hugging Face's form: a config, and one file of weights or shards with an index,
/// whatever format the files are in.
class CheckpointBuilder {
 public:
  /// Reads the config that the user named, or, if `config_path` is empty, the one in the folder. `path` is what the
  /// user opened.
  CheckpointBuilder(const std::filesystem::path& path, const std::filesystem::path& folder,
                    const std::filesystem::path& config_path);

  /// Takes a tensor that lies in `file`. Throws Error (E_SHARD) if another file has it too.
  void add(TensorEntry entry, const std::filesystem::path& file);

  /// Calls `add_file` for each shard that the index names, and compares the index with what it added. The shards' names
  /// end in `extension`, and they lie in the index's folder.
  void add_shards(const std::filesystem::path& index, std::string_view extension, const Job& job,
                  const std::function<void(const std::filesystem::path&)>& add_file);

  void warn(std::string warning) { parts_.warnings.push_back(std::move(warning)); }

  /// Where the open files go.
  CheckpointParts& parts() { return parts_; }

  Checkpoint take();

 private:
  CheckpointParts parts_;
  std::map<std::string, std::string> found_in_;  // tensor to file name
};

}  // namespace lathe
