#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/assets.h"
#include "app/cli/commands.h"
#include "app/jobs/export_gguf.h"
#include "model/data/event_json.h"
#include "model/data/stock_classes.h"
#include "model/io/atomic_file.h"
#include "model/io/checkpoint.h"
#include "model/io/model_folder.h"

namespace lathe {
namespace {

struct ExportArguments {
  std::string model;
  ExportModel what{.form = "", .path = "", .dtype = "auto"};
  bool list = false;
};

/// All forms with yes or no and why, from the config alone: nothing is loaded.
void list_targets(const std::string& model, const CliOptions& options) {
  const ModelConfig config = config_from_json(open_checkpoint(model_path(model), {}, options.config).config_json());
  nlohmann::json list = nlohmann::json::array();
  for (const ExportTarget& target : all_export_targets(config)) {
    nlohmann::json item{{"name", target.name}, {"title", target.title}, {"fits", !target.refusal}};
    if (target.refusal) item["why_not"] = error_to_json(*target.refusal);
    list.push_back(std::move(item));
    if (options.json) continue;
    std::printf("%-14s %-3s  %s\n", target.name.c_str(), target.refusal ? "no" : "yes",
                target.refusal ? to_text(*target.refusal).c_str() : target.about.c_str());
  }
  if (options.json) print_json({{"targets", list}});
}

void print_exported(const Exported& exported) {
  for (const ExportedFile& file : exported.files) {
    std::printf("%12lld  %.12s  %s\n", static_cast<long long>(file.bytes), file.sha256.c_str(), file.name.c_str());
  }
  std::printf("%s: %s, read back: %lld tensors, logits within %.2g over %lld tokens\n", exported.path.c_str(),
              exported.form.c_str(), static_cast<long long>(exported.tensors), exported.logit_difference,
              static_cast<long long>(exported.tokens));
}

void export_model(const ExportArguments& arguments, const CliOptions& options) {
  if (arguments.list) return list_targets(arguments.model, options);
  std::vector<std::string> problems;
  if (arguments.what.form.empty())
    problems.emplace_back("no form to export to; give --to FORM, or --list to see which fit");
  if (arguments.what.path.empty()) problems.emplace_back("nowhere to write to; give -o FOLDER");
  check_usage(problems);
  const bool is_gguf = gguf_type_of(arguments.what.form).has_value();
  if (!is_gguf && arguments.what.form != "hf") stock_class(arguments.what.form);
  is_gguf ? check_writable(arguments.what.path) : check_saveable(arguments.what.path);
  Client client(options);
  client.open(arguments.model);
  client.run({.job = 0, .what = arguments.what}, [&options](const Event& event) {
    if (const auto* exported = std::get_if<Exported>(&event.what)) {
      options.json ? print_json(exported_to_json(*exported)) : print_exported(*exported);
    }
  });
}

}  // namespace

void add_export(CLI::App& app, const CliOptions& options) {
  auto* command = add_command(app, "export", "Write the model in a form that other programs load",
                              "lathe export converted/ --list\n"
                              "lathe export converted/ --to deepseek-v3 -o out/\n"
                              "lathe export converted/ --to hf --dtype bf16 -o out/");
  auto arguments = std::make_shared<ExportArguments>();
  command->add_option("MODEL", arguments->model, "Folder, file, 'default' or 'tiny'")->required();
  command->add_option("--to", arguments->what.form,
                      "hf, llama, mixtral, qwen2-moe, deepseek-v3, glm4-moe-lite, gguf-f32, gguf-f16, gguf-bf16, "
                      "gguf-q8_0 or gguf-q4_0");
  command->add_option("-o,--out", arguments->what.path, "The folder to write; of GGUF the file");
  command->add_flag("--list", arguments->list, "Say which forms fit the model, and why the others do not");
  command->callback([arguments, &options] { export_model(*arguments, options); });
}

}  // namespace lathe
