#include "app/bench.h"

#include <ATen/Parallel.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/assets.h"
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
  command->callback([arguments, &options] {
    BenchOptions bench_options = *arguments;
    bench_options.device = options.device;
    bench_options.config = options.config;
    if (options.dtype != "auto") bench_options.dtypes = {options.dtype};
    bench(bench_options, options);
  });
}

}  // namespace lathe
