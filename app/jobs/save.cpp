#include "app/jobs/save.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "model/nn/save.h"

namespace lathe {
namespace {

SideFiles side_files_of(const OpenedModel& opened) {
  SideFiles files;
  const TokenizerFiles& tokenizer = opened.tokenizer.files();
  const auto add = [&files](const char* name, const std::string& content) {
    if (!content.empty()) files.emplace_back(name, content);
  };
  add("tokenizer.json", tokenizer.tokenizer_json);
  add("tokenizer_config.json", tokenizer.tokenizer_config_json);
  add("chat_template.jinja", tokenizer.chat_template_jinja);
  add("generation_config.json", tokenizer.generation_config_json);
  if (const auto& receipt = opened.history.current().receipt) {
    add("plan.json", plan_to_json(receipt->plan).dump(2) + "\n");
    add("receipt.json", receipt_to_json(*receipt).dump(2) + "\n");
  }
  return files;
}

std::int64_t bytes_of(const std::filesystem::path& folder) {
  std::int64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += static_cast<std::int64_t>(entry.file_size());
  }
  return bytes;
}

}  // namespace

Saved save_opened_model(const OpenedModel& opened, const SaveModel& save, const Job& job) {
  check(!save.folder.empty(), "no folder was given to save to; choose one");
  save_model(opened.model(), save.folder, side_files_of(opened), job);
  return {.folder = save.folder, .bytes = bytes_of(save.folder)};
}

}  // namespace lathe
