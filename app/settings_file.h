#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "views/ui_state.h"

namespace lathe {

/// Where settings and layout are kept: $XDG_CONFIG_HOME/lathe, else ~/.config/lathe.
std::filesystem::path config_folder();

/// Where fonts are looked for.
inline const std::vector<std::string> kFontFolders{"/usr/share/fonts", "/usr/local/share/fonts"};

/// What the user chose the last time; defaults where there is nothing or it cannot be read.
Settings load_settings();

/// Atomic. Throws Error.
void save_settings(const Settings& settings);

/// Dear ImGui's layout text of this version of the layout; empty if there is none.
std::string load_layout();
void save_layout(const std::string& ini);

}  // namespace lathe
