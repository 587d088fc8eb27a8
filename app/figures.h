#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/data/session.h"

namespace lathe {

/// Draws each workspace of the window as it shows the session, without a display, and saves the pictures as PNG in
/// `folder`. Returns the file names. Throws Error if there is no OpenGL at all.
std::vector<std::string> save_figures(const Session& session, const std::filesystem::path& folder);

}  // namespace lathe
