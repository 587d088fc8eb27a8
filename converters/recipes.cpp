#include "converters/recipes.h"

#include <algorithm>

#include "model/data/error.h"
#include "model/io/json_file.h"

namespace lathe {
namespace {

ConversionPlan read_plan(const std::filesystem::path& path) {
  const nlohmann::json json = read_json_file(path);
  try {
    return plan_from_json(json);
  } catch (const Error& error) {
    throw Error(text(error.what(), "; file: ", path.string()));
  }
}

}  // namespace

std::vector<Recipe> list_recipes(const std::filesystem::path& folder) {
  check(std::filesystem::is_directory(folder), "[recipes] there is no such folder: ", folder.string());
  std::vector<Recipe> recipes;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    recipes.push_back({entry.path().stem().string(), entry.path(), read_plan(entry.path())});
  }
  std::sort(recipes.begin(), recipes.end(), [](const Recipe& a, const Recipe& b) { return a.name < b.name; });
  return recipes;
}

ConversionPlan load_plan(const std::string& name_or_path, const std::filesystem::path& folder) {
  std::error_code unreadable;  // a name that is no path at all, too long say, may still be a recipe's
  if (std::filesystem::is_regular_file(name_or_path, unreadable)) return read_plan(name_or_path);
  std::string names;
  for (const Recipe& recipe : list_recipes(folder)) {
    if (recipe.name == name_or_path) return recipe.plan;
    names += (names.empty() ? "" : ", ") + recipe.name;
  }
  throw Error(text("[plan] \"", name_or_path, "\" is neither a plan file nor a recipe; recipes: ", names));
}

}  // namespace lathe
