#include "app/settings_file.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "model/io/atomic_file.h"

namespace lathe {
namespace {

/// Grows when panels are renamed or moved, so that an old layout never hides a new panel.
constexpr const char* kLayoutFile = "layout-2.ini";
constexpr const char* kSettingsFile = "settings.json";

std::string read_if_there(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_into_config(const char* name, const std::string& content) {
  std::filesystem::create_directories(config_folder());
  write_file(config_folder() / name, content);
}

}  // namespace

std::filesystem::path config_folder() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && *config != '\0') return std::filesystem::path(config) / "lathe";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "." : home) / ".config" / "lathe";
}

Settings load_settings() {
  const std::string content = read_if_there(config_folder() / kSettingsFile);
  return settings_from_json(nlohmann::json::parse(content, nullptr, /*allow_exceptions=*/false));
}

void save_settings(const Settings& settings) {
  write_into_config(kSettingsFile, settings_to_json(settings).dump(2) + "\n");
}

std::string load_layout() { return read_if_there(config_folder() / kLayoutFile); }

void save_layout(const std::string& ini) { write_into_config(kLayoutFile, ini); }

}  // namespace lathe
