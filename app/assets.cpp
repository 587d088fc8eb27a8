#include "app/assets.h"

#include <cstdlib>
#include <string_view>

#include "model/data/error.h"

namespace lathe {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::filesystem::path default_model() {
  const std::string given = environment("LATHE_MODEL");
  const auto path = given.empty() ? cache_folder() / "models" / "smollm2-135m-instruct" : std::filesystem::path(given);
  check(std::filesystem::exists(path),
        "the default model was not fetched; run ./lathe once with a network, or set LATHE_MODEL to a folder or file "
        "that holds SmolLM2-135M-Instruct; expected: ",
        path.string());
  return path;
}

}  // namespace

std::filesystem::path assets_folder() {
  const std::string given = environment("LATHE_ASSETS");
  return given.empty() ? std::filesystem::path(LATHE_ASSETS_FOLDER) : std::filesystem::path(given);
}

std::filesystem::path cache_folder() {
  const std::string cache = environment("XDG_CACHE_HOME");
  return (cache.empty() ? std::filesystem::path(environment("HOME")) / ".cache" : std::filesystem::path(cache)) /
         "lathe";
}

std::filesystem::path model_path(const std::string& model) {
  if (model == "default") return default_model();
  if (model == "tiny") return assets_folder() / "tiny";
  return model;
}

std::string code_version() { return LATHE_VERSION; }

}  // namespace lathe
