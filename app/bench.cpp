#include "app/bench.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "app/assets.h"
#include "app/bench_against.h"
#include "app/bench_reading.h"
#include "app/bench_speed.h"
#include "app/devices.h"
#include "app/jobs/convert.h"
#include "model/io/text_file.h"
#include "model/train/text_batches.h"
#include "model/train/trainer.h"

namespace lathe {
namespace {

SpeedFigures bench_speed(const BenchModel& model, const BenchOptions& options, const std::string& dtype,
                         const Job& job) {
  SpeedFigures warm_up, figures{.dtype = dtype};
  measure_writing(model, options, warm_up, job);
  for (std::int64_t round = 0; round < options.rounds; ++round) {
    job.progress("read and write, " + dtype, "rounds", round, options.rounds);
    measure_writing(model, options, figures, job);
  }
  return figures;
}

/// Tokens per second of full training, every weight, in `dtype`.
nlohmann::json bench_training(const BenchModel& model, const BenchOptions& options, const std::string& dtype,
                              const Job& job) {
  TrainSettings settings;
  settings.trainable = Trainable::All;
  settings.steps = options.train_steps + 1;
  settings.batch = 1;
  settings.precision = train_precision_from_name(dtype == "f16" ? "auto" : dtype);
  const auto network = std::make_shared<const Model>(model.opened.model());
  const std::string text = read_text_file(text_path("", assets_folder())).text;
  Trainer trainer({.model = network,
                   .teacher = nullptr,
                   .fit_ids_N = tokenize_text(model.opened.tokenizer, text.substr(0, 1 << 18), job),
                   .settings = settings});
  std::vector<double> rates;
  while (!trainer.is_done()) {
    job.progress("train, " + dtype, "steps", trainer.steps_done(), settings.steps);
    rates.push_back(trainer.step(job).tokens_per_second);
  }
  rates.erase(rates.begin());  // the first step allocates
  return {{"dtype", dtype},
          {"trained", "all"},
          {"values_trained", trainer.num_trained()},
          {"tokens_per_step", settings.seq_len * settings.batch * settings.accumulate},
          {"tokens_per_second", median(rates)},
          {"rounds", rates}};
}

/// A plan that this model can follow: its middle layer to MLA, the next to MoE, sizes in the default plan's proportion.
ConversionPlan bench_plan(const ModelConfig& config) {
  ConversionPlan plan;
  const std::int64_t middle = config.num_layers() / 2;
  MlaPlan mla;
  mla.qk_rope_head_dim = std::max<std::int64_t>(2, config.head_dim / 2);
  mla.kv_lora_rank = std::max<std::int64_t>(1, config.num_key_value_heads * config.head_dim / 2);
  plan.layers[middle].attention = mla;
  plan.layers[std::min(middle + 1, config.num_layers() - 1)].feed_forward = MoePlan{};
  plan.calibration.seq_len = std::min<std::int64_t>(plan.calibration.seq_len, config.max_position_embeddings);
  return plan;
}

nlohmann::json bench_conversion(const BenchModel& model, const Job& job) {
  const Model& network = model.opened.model();
  const ConversionPlan plan = bench_plan(network.config);
  const Conversion conversion = convert(network, plan, calibration_inputs(model.opened, plan.calibration, job), job);
  nlohmann::json layers = nlohmann::json::array();
  for (const LayerReceipt& layer : conversion.receipt.layers) {
    layers.push_back({{"layer", layer.layer},
                      {"part", layer.part == LayerPart::Attention ? "attention" : "feed_forward"},
                      {"method", layer.method},
                      {"seconds", layer.seconds}});
  }
  return {{"calibration_tokens", conversion.receipt.calibration_tokens},
          {"layers", layers},
          {"seconds", conversion.receipt.seconds}};
}

}  // namespace

nlohmann::json run_bench(const BenchOptions& options, const Job& job) {
  check(!options.dtypes.empty() && options.rounds >= 1,
        "[bench] nothing to measure: give a dtype and a round at least");
  check(options.against.empty() || options.against == "transformers", "[bench] cannot compare with '", options.against,
        "'; expected transformers");
  nlohmann::json result = {{"model", options.model}, {"threads", at::get_num_threads()}};
  // Training last: what it leaves in the heap would count as memory of writing.
  for (const std::string& dtype : options.dtypes) {
    const BenchModel model = open_for_bench(options, dtype, job);
    result["device"] = describe(model.opened.model().device());
    result["speed"].push_back(speed_to_json(bench_speed(model, options, dtype, job)));
  }
  const BenchModel model = open_for_bench(options, options.dtypes.front(), job);
  result["tokenizer_mb_per_second"] = median(measure_tokenizer(model.opened.tokenizer, options.rounds));
  result["read_gb_per_second"] = bench_reading(options, job);
  if (options.conversion) result["conversion"] = bench_conversion(model, job);
  for (const std::string& dtype : options.dtypes) {
    if (options.train_steps > 0) result["training"].push_back(bench_training(model, options, dtype, job));
  }
  if (!options.against.empty()) result["against"] = bench_against_transformers(options, job);
  return result;
}

}  // namespace lathe
