#pragma once

#include <cstdlib>
#include <filesystem>

namespace lathe {

/// The model that set-up fetches, or an empty path.
inline std::filesystem::path default_model() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const auto base = cache && *cache ? std::filesystem::path(cache) : std::filesystem::path(home ? home : "") / ".cache";
  const auto folder = base / "lathe/models/smollm2-135m-instruct";
  if (!std::filesystem::is_directory(folder)) return {};
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".gguf") return entry.path();
  }
  return {};
}

}  // namespace lathe
