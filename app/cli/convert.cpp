#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/assets.h"
#include "app/cli/commands.h"
#include "converters/recipes.h"
#include "model/data/event_json.h"
#include "model/data/sizes.h"
#include "model/io/checkpoint.h"
#include "model/io/model_folder.h"

namespace lathe {
namespace {

struct ConvertArguments {
  std::string model;
  std::string plan;
  std::string out;
  std::string calibrate;
  bool dry_run = false;
};

/// What the plan would change, by arithmetic alone: nothing is loaded.
void predict(const ConvertArguments& arguments, const ConversionPlan& plan, const CliOptions& options) {
  const Checkpoint checkpoint = open_checkpoint(model_path(arguments.model), {}, options.config);
  const ModelConfig before = config_from_json(checkpoint.config_json());
  const Sizes old_sizes = sizes_of(before);
  const Sizes new_sizes = sizes_of(planned_config(plan, before));
  if (options.json) {
    return print_json({{"plan", plan_to_json(plan)},
                       {"sizes_before", sizes_to_json(old_sizes)},
                       {"sizes_after", sizes_to_json(new_sizes)}});
  }
  const auto row = [](const char* name, std::int64_t a, std::int64_t b) {
    std::printf("%-20s %13lld -> %13lld  %+.1f %%\n", name, static_cast<long long>(a), static_cast<long long>(b),
                100.0 * (static_cast<double>(b) / static_cast<double>(a) - 1.0));
  };
  std::printf("%lld layers to MLA, %lld to MoE\n", static_cast<long long>(plan.num_mla()),
              static_cast<long long>(plan.num_moe()));
  row("parameters", old_sizes.params, new_sizes.params);
  row("active per token", old_sizes.active_params, new_sizes.active_params);
  row("cache values/token", old_sizes.kv_values_per_token, new_sizes.kv_values_per_token);
}

void print_receipt(const Receipt& receipt) {
  for (const LayerReceipt& layer : receipt.layers) {
    std::printf("layer %3lld %-9s %-14s relative error %.4f  (", static_cast<long long>(layer.layer),
                layer.part == LayerPart::Attention ? "attention" : "feed-fwd", layer.method.c_str(),
                layer.relative_error);
    for (const StageCost& stage : layer.stages) {
      std::printf("%s%s %.4f", &stage == layer.stages.data() ? "" : ", ", stage.stage.c_str(), stage.relative_error);
    }
    std::printf(")  %.2f s\n", layer.seconds);
  }
  std::printf(
      "held-out loss %.4f -> %.4f nats/token, parameters %.2f M -> %.2f M, cache %lld -> %lld bytes/token, %.1f s\n",
      receipt.nll_before, receipt.nll_after, static_cast<double>(receipt.sizes_before.params) / 1e6,
      static_cast<double>(receipt.sizes_after.params) / 1e6, static_cast<long long>(receipt.kv_bytes_per_token_before),
      static_cast<long long>(receipt.kv_bytes_per_token_after), receipt.seconds);
}

void convert_model(const ConvertArguments& arguments, const CliOptions& options) {
  ConversionPlan plan = load_plan(arguments.plan, assets_folder() / "recipes");
  if (!arguments.calibrate.empty()) plan.calibration.text = arguments.calibrate;
  if (arguments.dry_run) return predict(arguments, plan, options);
  if (arguments.out.empty()) check_usage({"nowhere to write to; give -o FOLDER, or --dry-run to predict only"});
  check_saveable(arguments.out);
  Client client(options);
  client.open(arguments.model);
  std::optional<Receipt> receipt;
  client.run({.job = 0, .what = Convert{plan}}, [&receipt](const Event& event) {
    if (const auto* converted = std::get_if<Converted>(&event.what)) receipt = converted->receipt;
  });
  client.run({.job = 0, .what = SaveModel{arguments.out}});
  options.json ? print_json(receipt_to_json(receipt.value())) : print_receipt(receipt.value());
}

}  // namespace

void add_convert(CLI::App& app, const CliOptions& options) {
  auto* command = add_command(app, "convert", "Turn layers into MLA or MoE by a plan, measure the cost, save",
                              "lathe convert default --plan erax-8b -o converted/\n"
                              "lathe convert default --plan my-plan.json --dry-run");
  auto arguments = std::make_shared<ConvertArguments>();
  command->add_option("MODEL", arguments->model, "Folder, file, 'default' or 'tiny'")->required();
  command->add_option("--plan", arguments->plan, "A plan file, or a recipe's name (see lathe recipes)")->required();
  command->add_option("-o,--out", arguments->out, "Folder to write");
  command->add_option("--calibrate", arguments->calibrate, "Text file to calibrate on, instead of the plan's");
  command->add_flag("--dry-run", arguments->dry_run, "Predict only: load and write nothing");
  command->callback([arguments, &options] { convert_model(*arguments, options); });
}

}  // namespace lathe
