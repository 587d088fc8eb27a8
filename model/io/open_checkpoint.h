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
Checkpoint open_pytorch_folder(const std::filesystem::path& folder, const std::filesystem::path& config_path,
                               const Job& job);
Checkpoint open_pytorch_file(const std::filesystem::path& path, const std::filesystem::path& config_path,
                             const Job& job);

/// Whether the name ends as PyTorch's files do: .bin, .pt, .pth.
bool is_pytorch_name(const std::filesystem::path& path);

/// Whether a model in PyTorch's files lies in the folder, Meta's or Hugging Face's.
bool holds_pytorch(const std::filesystem::path& folder);

/// Whether the folder holds params.json and consolidated.00.pth, and the opening of such a folder, of which `path`, the
/// folder or a file of it, is what the user chose.
bool is_meta_folder(const std::filesystem::path& folder);
Checkpoint open_meta_folder(const std::filesystem::path& folder, const std::filesystem::path& path, const Job& job);

}  // namespace lathe
