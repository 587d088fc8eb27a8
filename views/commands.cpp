#include "views/commands.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

namespace lathe {
namespace {

constexpr std::array<std::string_view, 8> kFilesOfModels{
    "config.json",     "generation_config.json",  "params.json",  "tokenizer.json", "tokenizer_config.json",
    "tokenizer.model", "special_tokens_map.json", "manifest.json"};

}  // namespace

DroppedPath dropped_path(const std::string& path) {
  const std::filesystem::path file(path);
  const std::string name = file.filename().string();
  if (std::ranges::find(kFilesOfModels, name) != kFilesOfModels.end() || name.ends_with(".index.json"))
    return {PathFor::OpenModelFolder, file.parent_path().string()};
  return {name.ends_with(".json") ? PathFor::OpenPlan : PathFor::OpenModelFolder, path};
}

void Commands::ask(Request request) { requests_.push_back({0, std::move(request)}); }

void Commands::ask_after(int frames, Request request) { requests_.push_back({frames, std::move(request)}); }

std::vector<Request> Commands::take_requests() {
  std::vector<Request> due;
  std::erase_if(requests_, [&due](Waiting& waiting) {
    if (waiting.frames-- > 0) return false;
    due.push_back(std::move(waiting.request));
    return true;
  });
  return due;
}

}  // namespace lathe
