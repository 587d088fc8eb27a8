#include "app/bench.h"

#include <ATen/Parallel.h>

#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "app/assets.h"
#include "app/bench_quality.h"
#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/devices.h"
#include "app/frame_cost.h"
#include "model/io/checkpoint.h"

namespace lathe {
namespace {

/// Nested figures, one a line, as "speed[0].decode  37.2".
void print_figures(const nlohmann::json& json) {
  const nlohmann::json flat = json.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    std::printf("%-56s %s\n", pointer.substr(1).c_str(), value.dump().c_str());
  }
}

/// Ctrl+C ends what the bench talks to as well: that it is gone is then no error of its own.
nlohmann::json run_or_cancel(const BenchOptions& bench_options, const Job& job) {
  try {
    return run_bench(bench_options, job);
  } catch (const Error&) {
    if (interrupted()) throw Cancelled();
    throw;
  }
}

void bench(const BenchOptions& bench_options, const CliOptions& options) {
  load_gpu();
  if (options.threads > 0) at::set_num_threads(options.threads);
  const StopWhenInterrupted interrupt;
  const Job job(interrupt.token(), [&options](const Progress& progress) {
    if (!options.quiet) std::fprintf(stderr, "%s\n", progress.stage.c_str());
  });
  nlohmann::json figures = run_or_cancel(bench_options, job);
  figures["frame"] = measure_frame_cost(
      config_from_json(open_checkpoint(model_path(bench_options.model), {}, bench_options.config).config_json()));
  options.json ? print_json(figures) : print_figures(figures);
}

void print_row(const QualityRow& row, const CliOptions& options) {
  if (options.json) return print_json(quality_row_to_json(row));
  if (row.plan == kDense) {
    std::printf("%-24s %10s %10s %12s %14s %9s\n", "plan", "PPL", "nll", "KV values", "active params", "seconds");
  }
  std::printf("%-24s %10.3f %10.4f %12lld %14lld %9.0f\n", row.plan.c_str(), row.ppl, row.nll,
              static_cast<long long>(row.kv_values_per_token), static_cast<long long>(row.active_params), row.seconds);
  std::fflush(stdout);  // the next row may take minutes
}

void bench_quality(const QualityBenchOptions& quality_options, const CliOptions& options) {
  load_gpu();
  if (options.threads > 0) at::set_num_threads(options.threads);
  const StopWhenInterrupted interrupt;
  std::string stage;
  const Job job(interrupt.token(), [&](const Progress& progress) {
    if (options.quiet || progress.stage == stage) return;
    stage = progress.stage;
    std::fprintf(stderr, "%s\n", stage.c_str());
  });
  run_quality_bench(
      quality_options, [&options](const QualityRow& row) { print_row(row, options); }, job);
}

void add_bench_quality(CLI::App& bench_command, const CliOptions& options) {
  auto* command = add_command(bench_command, "quality",
                              "Perplexity, cache and time of conversions side by side: a row for each plan",
                              "lathe bench quality --calibrate book1.txt --text book2.txt\n"
                              "lathe bench quality tiny --plan tiny-demo --plan my-plan.json --text book.txt --json");
  auto arguments = std::make_shared<QualityBenchOptions>();
  command->add_option("MODEL", arguments->model, "Folder, file, 'default' or 'tiny'")->capture_default_str();
  command->add_option("--text", arguments->text, "Text that the loss is measured on; no plan should have seen it")
      ->required();
  command->add_option("--calibrate", arguments->calibrate, "Text for all plans; without it what each plan names");
  command->add_option("--plan", arguments->plans, "A plan file or a recipe's name; may be given several times")
      ->allow_extra_args(false)
      ->capture_default_str();
  command->add_option("--window", arguments->window, "Tokens in a window, each its own context")
      ->check(CLI::Range(std::int64_t{2}, std::numeric_limits<std::int64_t>::max()))
      ->capture_default_str();
  command->add_option("--windows", arguments->windows, "At most so many windows")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->callback([arguments, &options] {
    QualityBenchOptions quality_options = *arguments;
    quality_options.device = options.device;
    quality_options.config = options.config;
    quality_options.dtype = options.dtype;
    bench_quality(quality_options, options);
  });
}

}  // namespace

void add_bench(CLI::App& app, const CliOptions& options) {
  auto* command = add_command(app, "bench", "Measure load, prefill, decode, training, conversion and frame cost",
                              "lathe bench default\nlathe bench default --against transformers --json");
  auto arguments = std::make_shared<BenchOptions>();
  command->add_option("MODEL", arguments->model, "Folder, file, 'default' or 'tiny'")->capture_default_str();
  command->add_option("--against", arguments->against, "'transformers': the same work in Python, turn by turn")
      ->check(CLI::IsMember({"transformers"}));
  command->add_option("--prompt-tokens", arguments->prompt_tokens, "Of prefill")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--new-tokens", arguments->new_tokens, "Of decode")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--rounds", arguments->rounds, "Figures are medians over so many")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--train-steps", arguments->train_steps, "0: no training")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_bench_quality(*command, options);
  command->callback([arguments, command, &options] {
    if (!command->get_subcommands().empty()) return;
    BenchOptions bench_options = *arguments;
    bench_options.device = options.device;
    bench_options.config = options.config;
    if (options.dtype != "auto") bench_options.dtypes = {options.dtype};
    bench(bench_options, options);
  });
}

}  // namespace lathe
