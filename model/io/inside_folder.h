#pragma once

#include <filesystem>
#include <string>

namespace lathe {

/// The path of the model's file `name` in `folder`. A model must not lead out of its folder: a name with a separator,
/// "..", a NUL or over 255 bytes and a symbolic link to elsewhere are refused (E_PATH). Links into the blobs of the
/// Hugging Face cache (models--x/snapshots/y/file -> ../../blobs/hash) are what that cache is made of, and pass.
std::filesystem::path inside_folder(const std::filesystem::path& folder, const std::string& name);

}  // namespace lathe
