#pragma once

#include <filesystem>
#include <string>

namespace lathe {

/// Where recipes, texts and the tiny model lie: $LATHE_ASSETS, else `assets` of the source tree that was built.
std::filesystem::path assets_folder();

/// Where set-up keeps what it fetched: $XDG_CACHE_HOME/lathe, else ~/.cache/lathe.
std::filesystem::path cache_folder();

/// "default" and "tiny" become the models that ship with the program; anything else is a path.
/// Throws Error if "default" was not fetched.
std::filesystem::path model_path(const std::string& model);

/// The program's version, as receipts name it.
std::string code_version();

}  // namespace lathe
