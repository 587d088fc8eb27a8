#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/support/places.h"

namespace {

namespace fs = std::filesystem;

const std::set<std::string> kTensors = {"ATen", "c10", "torch"};
const std::set<std::string> kWindow = {"imgui", "implot", "GLFW", "GL", "EGL", "portable-file-dialogs"};

/// What a folder may include besides itself and the standard library.
struct Arrows {
  std::set<std::string> folders;
  bool tensors = false;
  bool window = false;
};

/// The arrows of the project; README draws them.
const std::map<std::string, Arrows> kArrows = {
    {"model/data", {}},
    {"model/io", {{"model/data"}}},
    {"model/cuda", {{}, true}},
    {"model/nn", {{"model/cuda", "model/io", "model/data"}, true}},
    {"model/train", {{"model/nn", "model/io", "model/data"}, true}},
    {"model/infer", {{"model/nn", "model/io", "model/data"}, true}},
    {"converters", {{"model/train", "model/infer", "model/nn", "model/io", "model/data"}, true}},
    {"views", {{"model/data"}, false, true}},
    {"app",
     {{"views", "converters", "model/train", "model/infer", "model/nn", "model/cuda", "model/io", "model/data"},
      true,
      true}},
};

/// The folder of `kArrows` that holds `path` (relative to the root), if one does.
std::optional<std::string> folder_of(const std::string& path) {
  for (const auto& [folder, arrows] : kArrows) {
    if (path.rfind(folder + "/", 0) == 0) return folder;
  }
  return std::nullopt;
}

/// The name before the first '/', '.' or '_': "ATen" of <ATen/ops/mm.h>, "imgui" of <imgui_internal.h>.
std::string family_of(const std::string& include) { return include.substr(0, include.find_first_of("/._")); }

/// Why a file in `folder` must not have this line, or nothing if it may.
std::optional<std::string> broken_arrow(const std::string& folder, const std::string& line) {
  static const std::regex kInclude(R"re(^\s*#\s*include\s*(["<])([^">]+)[">])re");
  std::smatch match;
  if (!std::regex_search(line, match, kInclude)) return std::nullopt;
  const Arrows& arrows = kArrows.at(folder);
  const std::string include = match[2];
  if (const auto target = folder_of(include)) {
    if (*target != folder && !arrows.folders.count(*target)) return folder + " may not include " + *target;
    return std::nullopt;
  }
  const std::string family = family_of(include);
  if (kTensors.count(family) && !arrows.tensors) return folder + " may not include tensors";
  if (kWindow.count(family) && !arrows.window) return folder + " may not include the window's libraries";
  if (match[1] == "\"") return "own headers are included by their path from the root, others in <>";
  return std::nullopt;
}

std::vector<fs::path> sources_of(const fs::path& folder) {
  std::vector<fs::path> sources;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension();
    if (extension == ".h" || extension == ".cpp" || extension == ".cu") sources.push_back(entry.path());
  }
  return sources;
}

TEST(Architecture, IncludesFollowTheArrows) {
  const fs::path root = LATHE_SOURCE_DIR;
  size_t files = 0;
  for (const auto& [folder, arrows] : kArrows) {
    for (const fs::path& source : sources_of(root / folder)) {
      std::ifstream file(source);
      size_t number = 0;
      for (std::string line; std::getline(file, line);) {
        ++number;
        const auto broken = broken_arrow(folder, line);
        EXPECT_FALSE(broken) << *broken << ": " << line << "\n" << source.string() << ":" << number;
      }
      ++files;
    }
  }
  EXPECT_GT(files, 50u) << "the sources were not found under " << root;
}

TEST(Architecture, AnArrowThatIsNotDrawnIsFound) {
  EXPECT_TRUE(broken_arrow("model/data", R"(#include "model/io/gguf.h")"));
  EXPECT_TRUE(broken_arrow("model/io", "#include <ATen/core/Tensor.h>"));
  EXPECT_TRUE(broken_arrow("views", "#  include <torch/types.h>"));
  EXPECT_TRUE(broken_arrow("views", R"(#include "app/studio.h")"));
  EXPECT_TRUE(broken_arrow("converters", "#include <imgui_internal.h>"));
  EXPECT_TRUE(broken_arrow("model/train", R"(#include "model/infer/generate.h")"));
  EXPECT_TRUE(broken_arrow("model/nn", R"(#include "layer.h")"));
}

TEST(Architecture, ADrawnArrowIsAccepted) {
  EXPECT_FALSE(broken_arrow("views", R"(#include "model/data/session.h")"));
  EXPECT_FALSE(broken_arrow("views", "#include <imgui.h>"));
  EXPECT_FALSE(broken_arrow("model/nn", R"(#include "model/nn/layer.h")"));
  EXPECT_FALSE(broken_arrow("app", R"(#include "converters/registry.h")"));
  EXPECT_FALSE(broken_arrow("model/data", "#include <vector>"));
}

TEST(Architecture, FilesAreAtMost300LinesLong) {
  const fs::path root = LATHE_SOURCE_DIR;
  for (const auto& [folder, arrows] : kArrows) {
    for (const fs::path& source : sources_of(root / folder)) {
      std::ifstream file(source);
      size_t lines = 0;
      for (std::string line; std::getline(file, line);) ++lines;
      EXPECT_LE(lines, 300u) << source.string();
    }
  }
}

}  // namespace
