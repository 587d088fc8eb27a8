#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/assets.h"
#include "app/cli/commands.h"
#include "app/devices.h"
#include "model/data/event_json.h"
#include "model/io/checkpoint.h"
#include "model/io/model_folder.h"
#include "model/nn/compare.h"
#include "model/nn/load.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

struct VerifyArguments {
  std::string model;
  std::string against;
};

Model load(const std::string& model, const std::string& config, const CliOptions& options) {
  load_gpu();
  const at::Device device = choose_device(options.device);
  return load_model(open_checkpoint(model_path(model), {}, config),
                    {.device = device, .dtype = choose_dtype(options.dtype, device)});
}

nlohmann::json to_json(const ModelDifference& difference) {
  nlohmann::json differing = nlohmann::json::array();
  for (const TensorDifference& one : difference.differing) {
    differing.push_back({{"tensor", one.name}, {"what", one.what}, {"largest", one.largest}, {"values", one.values}});
  }
  return {
      {"tensors", difference.tensors},
      {"differing", differing},
      {"logits",
       {{"largest_difference", difference.logits}, {"largest", difference.logit_size}, {"tokens", difference.tokens}}}};
}

void print(const ModelDifference& difference) {
  for (const TensorDifference& one : difference.differing) {
    std::printf("%-60s %s", one.name.c_str(), one.what.c_str());
    if (one.values > 0) std::printf(": %lld differ, by at most %.3g", static_cast<long long>(one.values), one.largest);
    std::printf("\n");
  }
  std::printf("%zu of %lld tensors differ; logits differ by at most %.3g (largest %.3g) over %lld tokens\n",
              difference.differing.size(), static_cast<long long>(difference.tensors), difference.logits,
              difference.logit_size, static_cast<long long>(difference.tokens));
}

/// What the folder's manifest says of its files; a model that Lathe did not save has none.
std::vector<ErrorParts> manifest_problems(const fs::path& path) {
  if (!fs::exists(path / "manifest.json")) return {};
  return verify_model_folder(path);
}

void verify(const VerifyArguments& arguments, const CliOptions& options) {
  const fs::path path = model_path(arguments.model);
  const std::vector<ErrorParts> problems = manifest_problems(path);
  const bool has_manifest = fs::exists(path / "manifest.json");
  nlohmann::json result{{"path", path.string()}, {"manifest", has_manifest}, {"problems", nlohmann::json::array()}};
  for (const ErrorParts& problem : problems) result["problems"].push_back(error_to_json(problem));
  bool alike = true;
  if (problems.empty()) {
    const Model model = load(arguments.model, options.config, options);
    const Model other = arguments.against.empty() ? model : load(arguments.against, "", options);
    const ModelDifference difference = compare_models(model, other);
    alike = difference.differing.empty() && difference.logits == 0.0;
    result["differences"] = to_json(difference);
    if (!options.json && !arguments.against.empty()) print(difference);
  }
  if (options.json) print_json(result);
  if (!problems.empty()) throw Error(problems.front());
  if (!alike) {
    throw Error({.code = ErrorCode::Verify,
                 .what = "the models differ",
                 .where = path.string(),
                 .got = "the differences above",
                 .expected = "the same tensors and logits",
                 .hint = "save or export the model again if they should be alike"});
  }
  if (!options.json && arguments.against.empty()) {
    std::printf("%s: %s, all tensors load and give finite logits\n", path.c_str(),
                has_manifest ? "every file is as it was saved" : "no manifest to compare the files with");
  }
}

}  // namespace

void add_verify(CLI::App& app, const CliOptions& options) {
  auto* command = add_command(app, "verify", "Read a model back from the disk and compare it",
                              "lathe verify converted/\n"
                              "lathe verify exported/ --against converted/ --json");
  auto arguments = std::make_shared<VerifyArguments>();
  command->add_option("MODEL", arguments->model, "Folder, file, 'default' or 'tiny'")->required();
  command->add_option("--against", arguments->against, "A second model: tensors by name, and logits");
  command->callback([arguments, &options] { verify(*arguments, options); });
}

}  // namespace lathe
