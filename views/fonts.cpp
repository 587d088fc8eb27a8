#include <filesystem>

#include "views/theme.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

/// The first existing folder/name, or an empty path.
std::string find(std::span<const std::string> folders, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    for (const std::string& folder : folders) {
      std::error_code ignored;
      const fs::path path = fs::path(folder) / name;
      if (fs::exists(path, ignored)) return path.string();
    }
  }
  return {};
}

/// Adds what a text font has no glyphs for: other scripts, then symbols. Glyphs are drawn when first used.
void merge_fallbacks(std::span<const std::string> folders) {
  ImFontAtlas* atlas = ImGui::GetIO().Fonts;
  const std::initializer_list<std::initializer_list<const char*>> fallbacks = {
      {"truetype/noto/NotoSans-Regular.ttf", "noto/NotoSans-Regular.ttf", "NotoSans-Regular.ttf"},
      {"opentype/noto/NotoSansCJK-Regular.ttc", "noto-cjk/NotoSansCJK-Regular.ttc", "NotoSansCJK-Regular.ttc"},
      {"truetype/noto/NotoSansMath-Regular.ttf", "noto/NotoSansMath-Regular.ttf", "NotoSansMath-Regular.ttf"},
      {"truetype/noto/NotoSansSymbols-Regular.ttf", "noto/NotoSansSymbols-Regular.ttf", "NotoSansSymbols-Regular.ttf"},
      {"truetype/noto/NotoSansSymbols2-Regular.ttf", "noto/NotoSansSymbols2-Regular.ttf",
       "NotoSansSymbols2-Regular.ttf"}};
  for (const auto& names : fallbacks) {
    const std::string path = find(folders, names);
    if (path.empty()) continue;
    ImFontConfig config;
    config.MergeMode = true;
    atlas->AddFontFromFileTTF(path.c_str(), 0.0F, &config);
  }
}

ImFont* font(int index) {
  const ImVector<ImFont*>& fonts = ImGui::GetIO().Fonts->Fonts;
  if (index < fonts.Size) return fonts[index];
  return fonts.empty() ? ImGui::GetFont() : fonts[0];
}

}  // namespace

std::vector<std::string> load_fonts(std::span<const std::string> folders) {
  struct Wanted {
    const char* name;
    float size_scale;  // so that letters of all fonts are as high as Inter's
    std::initializer_list<const char*> files;
  };
  const Wanted wanted[] = {
      {"Inter", 1.0F, {"opentype/inter/Inter-Regular.otf", "inter/Inter-Regular.otf", "Inter-Regular.otf"}},
      {"Inter bold", 1.0F, {"opentype/inter/Inter-SemiBold.otf", "inter/Inter-SemiBold.otf", "Inter-SemiBold.otf"}},
      {"JetBrains Mono",
       1.09F,
       {"truetype/jetbrains-mono/JetBrainsMono-Regular.ttf", "jetbrains-mono/JetBrainsMono-Regular.ttf",
        "JetBrainsMono-Regular.ttf"}}};
  std::vector<std::string> missing;
  ImFontAtlas* atlas = ImGui::GetIO().Fonts;
  atlas->Clear();
  for (const Wanted& want : wanted) {
    const std::string path = find(folders, want.files);
    if (path.empty()) {
      missing.push_back(std::string("Font ") + want.name +
                        " not found, a plain one stands in; install fonts-inter and fonts-jetbrains-mono");
      atlas->AddFontDefault();
    } else {
      ImFontConfig config;
      config.ExtraSizeScale = want.size_scale;
      atlas->AddFontFromFileTTF(path.c_str(), 0.0F, &config);
    }
    merge_fallbacks(folders);
  }
  return missing;
}

ImFont* text_font() { return font(0); }
ImFont* bold_font() { return font(1); }
ImFont* mono_font() { return font(2); }

}  // namespace lathe
