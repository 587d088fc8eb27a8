#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/data/plan.h"

namespace lathe {

/// All recipes of a folder, by name. Throws Error that names the file if one cannot be read.
std::vector<Recipe> list_recipes(const std::filesystem::path& folder);

/// Reads a plan: `name_or_path` is a recipe of `folder`, or a plan file.
/// Throws Error that lists the recipes if it is neither.
ConversionPlan load_plan(const std::string& name_or_path, const std::filesystem::path& folder);

}  // namespace lathe
