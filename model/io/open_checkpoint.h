#pragma once

#include <filesystem>

#include "model/data/job.h"
#include "model/io/checkpoint.h"

namespace lathe {

/// What open_checkpoint does for each kind of path. Throws Error; Cancelled.
Checkpoint open_safetensors_folder(const std::filesystem::path& folder, const Job& job);
Checkpoint open_safetensors_file(const std::filesystem::path& path, const Job& job);
Checkpoint open_gguf_checkpoint(const std::filesystem::path& path);

}  // namespace lathe
