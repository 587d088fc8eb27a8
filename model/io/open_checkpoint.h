#pragma once

#include <filesystem>

#include "model/data/job.h"
#include "model/io/checkpoint.h"

namespace lathe {

/// What open_checkpoint does for each kind of path. An empty `config_path` means config.json of the folder. Throws
/// Error; Cancelled.
Checkpoint open_safetensors_folder(const std::filesystem::path& folder, const std::filesystem::path& config_path,
                                   const Job& job);
Checkpoint open_safetensors_file(const std::filesystem::path& path, const std::filesystem::path& config_path,
                                 const Job& job);
Checkpoint open_gguf_checkpoint(const std::filesystem::path& path);

}  // namespace lathe
